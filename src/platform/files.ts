/** Files as the engine uses them: the current platform's port, and what can be said in its terms. */
import { port } from './current.js';
import { FileError } from './errors.js';
import type { AppendFile, FileContent, FileLock, OpenFile, StagedFile } from './ports/files.js';

export type { AppendFile, FileContent, FileLock, FileWriter, OpenFile, StagedFile } from './ports/files.js';

/** A path below a folder. */
export function join(folder: string, ...names: string[]): string {
  return port('files').join(folder, ...names);
}

/** The folder of a file, and the file's name in it. */
export function splitPath(file: string): { folder: string; name: string } {
  return port('files').split(file);
}

/** Whether a path leads to a folder. */
export async function isFolder(path: string): Promise<boolean> {
  return (await port('files').kind(path)) === 'folder';
}

/** Whether a path leads to something in a folder, or to the folder itself, wherever links on the way lead. */
export async function isWithin(path: string, folder: string): Promise<boolean> {
  const files = port('files');
  const [inner, outer] = await Promise.all([files.realPath(path), files.realPath(folder)]);
  if (inner === undefined || outer === undefined) return false;
  for (let at = inner; ; ) {
    if (at === outer) return true;
    const above = files.split(at).folder;
    if (above === at) return false;
    at = above;
  }
}

/** The names in a folder in order, or undefined when the path is a file. */
export async function listFolder(path: string): Promise<string[] | undefined> {
  const kind = await port('files').kind(path);
  return kind === 'file' || kind === 'other' ? undefined : port('files').list(path);
}

/** The names in a folder in order; none where there is no such folder. */
export async function namesIn(path: string): Promise<string[]> {
  return (await isFolder(path)) ? port('files').list(path) : [];
}

/** Opens a file for reading. */
export function openFile(file: string): Promise<OpenFile> {
  return port('files').open(file);
}

/** Fills `target` from byte `position`; a file that ends before is an error. */
export async function readExactly(
  opened: OpenFile,
  file: string,
  target: Uint8Array,
  position: number,
): Promise<void> {
  const got = await opened.read(target, position);
  if (got === target.byteLength) return;
  throw new FileError(file, `ends at byte ${position + got}; it was truncated while it was being read`);
}

/** All bytes of a file, which may have no more than `mostBytes`. */
export async function readWholeFile(file: string, mostBytes = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  const opened = await openFile(file);
  try {
    if (opened.byteLength > mostBytes) {
      throw new FileError(
        file,
        `has ${opened.byteLength} bytes, over the limit of ${mostBytes} for such a file`,
      );
    }
    const bytes = new Uint8Array(opened.byteLength);
    await readExactly(opened, file, bytes, 0);
    return bytes;
  } finally {
    await opened.close();
  }
}

/** All bytes of a file, which may have no more than `mostBytes`, or undefined when it does not exist. */
export async function readIfThere(
  file: string,
  mostBytes?: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readWholeFile(file, mostBytes);
  } catch (error) {
    if (error instanceof FileError && error.missing) return undefined;
    throw error;
  }
}

/** Reads a file of one folder by name; undefined when it does not exist. */
export type FolderReader = (name: string) => Promise<Uint8Array | undefined>;

/** A reader of a folder's files, each of no more than `mostBytes`. */
export function folderReader(folder: string, mostBytes?: number): FolderReader {
  return (name) => readIfThere(join(folder, name), mostBytes);
}

/** Makes a folder and those above it, where they are missing. */
export function makeFolder(path: string): Promise<void> {
  return port('files').makeFolder(path);
}

/** Writes a file so that its name never shows half of it; the folder must exist. */
export async function atomicWrite(path: string, content: FileContent): Promise<void> {
  const staged = await stageFile(path, content);
  try {
    await staged.commit();
  } finally {
    await staged.discard();
  }
}

/** The first half of {@link atomicWrite}: for several files that must all be complete before the first gets its name. */
export function stageFile(path: string, content: FileContent): Promise<StagedFile> {
  return port('files').stage(path, content);
}

/** Writes small text files into a folder, each atomically; the folder is made where it is missing. */
export async function writeTextFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await makeFolder(folder);
  for (const [name, text] of Object.entries(files)) await atomicWrite(join(folder, name), text);
}

/** Replaces a folder with a new one that `fill` writes, all or nothing; one writer at a time. */
export function replaceFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  return port('files').replaceFolder(path, fill);
}

/** Clears what killed writers left in a folder: call it where no writer is active. */
export function recoverFolder(folder: string): Promise<void> {
  return port('files').recover(folder);
}

/** Opens a file at its end, or makes it. */
export function appendTo(path: string): Promise<AppendFile> {
  return port('files').append(path);
}

/** Cuts a file of lines before the first line that shall not stay, or that a killed writer left incomplete. */
export async function keepLines(path: string, keep: (line: string) => boolean): Promise<void> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return;
  const text = new TextDecoder();
  let end = 0;
  for (let next = bytes.indexOf(10); next >= 0; next = bytes.indexOf(10, end)) {
    if (!keep(text.decode(bytes.subarray(end, next)))) break;
    end = next + 1;
  }
  if (end < bytes.length) await port('files').truncate(path, end);
}

/** Deletes a file or a folder with all that is in it; what does not exist is deleted already. */
export function removeAll(path: string): Promise<void> {
  return port('files').remove(path);
}

/** Bytes of a copy that are in memory at a time. */
const COPY_BYTES = 1 << 20;

/** Copies a file, making the folders that it shall be in. */
export async function copyInto(file: string, target: string): Promise<void> {
  if (join(file) === join(target)) return;
  await makeFolder(splitPath(target).folder);
  const source = await openFile(file);
  try {
    await atomicWrite(target, async (writer) => {
      const piece = new Uint8Array(Math.min(COPY_BYTES, source.byteLength));
      for (let done = 0; done < source.byteLength; done += piece.length) {
        const bytes = piece.subarray(0, source.byteLength - done);
        await readExactly(source, file, bytes, done);
        await writer.write(bytes);
      }
    });
  } finally {
    await source.close();
  }
}

/** SHA-256 of a file, as hexadecimal; undefined when it does not exist. */
export async function fileDigest(file: string): Promise<string | undefined> {
  try {
    return await port('files').digest(file);
  } catch (error) {
    if (error instanceof FileError && error.missing) return undefined;
    throw error;
  }
}

/** Makes a file that says who works in its folder; throws a {@link FileError} that names the holder where it is held. */
export function lockFile(path: string): Promise<FileLock> {
  return port('files').lock(path);
}
