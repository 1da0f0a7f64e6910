/** What a run does otherwise on Windows; loaded there alone. */
export { decideOnWindows as policy } from '../../app/windows/signals.ts'
export { prepare } from './locate.ts'
export { takeDrives } from './drives.ts'
export { Lingering } from './lingering.ts'
export { usesOwnClient } from './own-client.ts'
export { launchInJob } from './launch.ts'
