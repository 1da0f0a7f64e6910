import { acceptWay } from './ways.ts'

acceptWay({ way: 'b1', user: 'alice' })
acceptWay({ way: 'b1', user: 'alice', read: 'blocking' })
