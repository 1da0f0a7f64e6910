import { acceptWay } from './ways.ts'

acceptWay({ way: 'b2', user: 'alice' })
acceptWay({ way: 'b2', user: 'alice', read: 'blocking' })
