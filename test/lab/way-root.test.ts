import { acceptWay } from './ways.ts'

acceptWay({ way: 'root' })
acceptWay({ way: 'root', read: 'blocking' })
