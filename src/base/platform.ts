/** The one place that asks which system this is. Whatever differs by it lies in folders of that system's name, loaded where this says so. */
export const isWindows = process.platform === 'win32'
