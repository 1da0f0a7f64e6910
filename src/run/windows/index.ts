/** What a run does otherwise on Windows; loaded there alone. */
export { decideOnWindows as policy } from '../../app/windows/signals.ts'
export { prepare } from './locate.ts'
export { takeDrives, usesOwnClient } from './drives.ts'
export { launchInJob } from './launch.ts'
