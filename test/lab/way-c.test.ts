import { acceptWay } from './ways.ts'

acceptWay({ way: 'c', user: 'alice' })
acceptWay({ way: 'c' })
acceptWay({ way: 'c', user: 'alice', read: 'blocking' })
