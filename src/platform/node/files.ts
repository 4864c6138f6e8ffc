/** Files on disk. */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, realpath, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { AppendFile, FileKind, Files, OpenFile } from '../ports/files.js';
import { recover, replaceFolder, stage } from './atomic.js';
import { lock } from './lock.js';
import { openRegular } from './regular.js';
import { unreadable, unwritable } from './system-errors.js';

/** Most bytes asked of one system call: Node refuses 2 GiB and more. */
const READ_LIMIT = 1 << 30;

/** The file system of this machine. */
export const nodeFiles: Files = {
  join: path.join,
  split: (file) => ({ folder: path.dirname(file), name: path.basename(file) }),

  kind: (file) => stat(file).then(kindOf, () => undefined),
  realPath: (file) => realpath(file).catch(() => undefined),
  list: async (folder) => (await reading(folder, readdir(folder))).sort(),
  open: (file) => reading(file, openForReading(file)),

  stage,
  append: (file) => writing(file, openAtEnd(file)),
  truncate: (file, bytes) => writing(file, truncate(file, bytes)),
  makeFolder: async (folder) => void (await writing(folder, mkdir(folder, { recursive: true }))),
  replaceFolder,
  recover: (folder) => reading(folder, recover(folder)),
  remove: (file) => writing(file, rm(file, { recursive: true, force: true })),
  digest: (file) => reading(file, digest(file)),
  lock,
};

/** Waits for work on a path, and puts what it throws into words. */
async function reading<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function writing<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw unwritable(file, error);
  }
}

function kindOf(found: { isFile(): boolean; isDirectory(): boolean }): FileKind {
  return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
}

async function openForReading(file: string): Promise<OpenFile> {
  const { handle, byteLength } = await openRegular(file);
  return {
    byteLength,
    read: (target, position) => reading(file, read(handle, target, position)),
    close: () => handle.close(),
  };
}

async function read(handle: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < target.byteLength) {
    const wanted = Math.min(READ_LIMIT, target.byteLength - done);
    const { bytesRead } = await handle.read(target, done, wanted, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function openAtEnd(file: string): Promise<AppendFile> {
  const handle = await open(file, 'a');
  return {
    append: (data) => writing(file, handle.appendFile(data)),
    sync: () => writing(file, handle.sync()),
    close: () => handle.close(),
  };
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  const { handle } = await openRegular(file);
  await pipeline(handle.createReadStream(), hash);
  return hash.digest('hex');
}
