/**
 * Files and folders that are seen whole or not at all, whenever the process is killed or the power fails.
 *
 * Content goes to a temporary neighbour, is flushed to disk, and takes the final name by rename. Temporaries begin with a
 * dot and contain `.osler-`; {@link recover} clears what a killed process left.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileContent, StagedFile } from '../ports/files.js';
import { unwritable } from './system-errors.js';

const TEMPORARY = /^\.(.+)\.osler-(?:tmp-[0-9a-f]+|old)$/;
const OLD_SUFFIX = '.osler-old';
/** Most bytes given to one system call: Node refuses 2 GiB and more. */
const WRITE_LIMIT = 1 << 30;

function temporaryFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.osler-tmp-${randomBytes(6).toString('hex')}`);
}

/** Writes a file under a hidden name, from where it takes the place of `path` in one step. */
export async function stage(path: string, content: FileContent): Promise<StagedFile> {
  const target = resolve(path);
  const temporary = temporaryFor(target);
  try {
    await writeAndSync(temporary, content);
  } catch (error) {
    await rm(temporary, { force: true });
    throw named(target, error);
  }
  return {
    async commit() {
      try {
        await rename(temporary, target);
      } catch (error) {
        throw named(target, error);
      }
      await syncPath(dirname(target));
    },
    discard: () => rm(temporary, { force: true }),
  };
}

async function writeAndSync(path: string, content: FileContent): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    if (typeof content === 'function') await content({ write: (bytes) => writeAll(handle, bytes) });
    else await writeAll(handle, typeof content === 'string' ? Buffer.from(content) : content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const length = Math.min(WRITE_LIMIT, bytes.byteLength - done);
    done += (await handle.write(bytes, done, length)).bytesWritten;
  }
}

/** Errors of an open file do not say which file; people need to know which disk is full. */
function named(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  return unwritable(path, error);
}

/**
 * Replaces a folder with a new one that `fill` writes, all or nothing.
 *
 * A name that was free goes from absent to complete in one step. To replace a folder takes two renames, since no portable
 * call swaps folders; a crash between them leaves the old folder under a hidden name, from where {@link recover} (and
 * the next call) puts it back. One process at a time may replace a folder.
 *
 * @param fill writes the new content into the empty folder it is given.
 */
export async function replaceFolder(path: string, fill: (dir: string) => Promise<void>): Promise<void> {
  const target = resolve(path);
  const old = join(dirname(target), `.${basename(target)}${OLD_SUFFIX}`);
  const temporary = temporaryFor(target);
  await mkdir(dirname(target), { recursive: true });
  await restoreOld(old, target);
  try {
    await mkdir(temporary);
    await fill(temporary);
    await syncTree(temporary);
    const replaced = await renameIfExists(target, old);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (replaced) await rename(old, target);
      throw error;
    }
    await syncPath(dirname(target));
    if (replaced) await rm(old, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw named(target, error);
  }
}

/**
 * Clears what killed writers left in a folder: folders they had moved aside come back if their successor never arrived, and
 * temporaries are deleted. Call it where no writer is active, such as at the start of a resumed run.
 */
export async function recover(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const original = TEMPORARY.exec(name)?.[1];
    if (original === undefined) continue;
    const path = join(dir, name);
    if (name.endsWith(OLD_SUFFIX)) await restoreOld(path, join(dir, original));
    else await rm(path, { recursive: true, force: true });
  }
}

async function restoreOld(old: string, target: string): Promise<void> {
  if (await exists(target)) await rm(old, { recursive: true, force: true });
  else if (await renameIfExists(old, target)) await syncPath(dirname(target));
}

async function exists(path: string): Promise<boolean> {
  return (await readdir(dirname(path))).includes(basename(path));
}

async function renameIfExists(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Flushes every file and folder below, and the folder itself, so that the rename cannot overtake the content. */
async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncPath(dir);
}

/** Flushes a file or a folder's entries. */
async function syncPath(path: string): Promise<void> {
  // Windows can neither open a folder nor sync a file opened for reading, and keeps its own order; nothing to do there.
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
