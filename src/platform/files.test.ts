/** What every platform's files must do: the same for the disk and for memory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Platform, setPlatform } from './current.js';
import { FileError, PlaceError } from './errors.js';
import {
  appendTo,
  atomicWrite,
  copyInto,
  fileDigest,
  folderReader,
  isFolder,
  isWithin,
  join,
  keepLines,
  listFolder,
  lockFile,
  makeFolder,
  namesIn,
  openFile,
  readIfThere,
  readWholeFile,
  recoverFolder,
  removeAll,
  replaceFolder,
  splitPath,
  stageFile,
  writeTextFiles,
} from './files.js';
import { MemoryFiles } from './memory-files.js';
import { nodeFiles } from './node/files.js';

const utf8 = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);

describe.each(['disk', 'memory'])('files: %s', (kind) => {
  let before: Platform | undefined;
  let dir: string;
  beforeAll(() => {
    before = setPlatform({ files: kind === 'disk' ? nodeFiles : new MemoryFiles() });
  });
  afterAll(() => void setPlatform(before as Platform));
  beforeEach(async () => {
    dir = kind === 'disk' ? await mkdtemp(path.join(tmpdir(), 'osler-files-')) : '/some/dir';
    if (kind === 'memory') await makeFolder(dir);
  });
  afterEach(() => (kind === 'disk' ? rm(dir, { recursive: true }) : removeAll('/some')));

  const inside = (name: string) => join(dir, ...name.split('/'));
  const read = async (name: string) => utf8(await readWholeFile(inside(name)));

  it('joins and splits paths', () => {
    // Windows takes slashes and gives backslashes.
    const joined = (...names: [string, ...string[]]) => join(...names).replaceAll('\\', '/');
    expect(joined('a', 'b', 'c.json')).toBe('a/b/c.json');
    expect(joined('/a/b', '..', 'c')).toBe('/a/c');
    expect(joined('.', 'a', './b')).toBe('a/b');
    expect(joined('a', '..', '..', 'b')).toBe('../b');
    expect(joined('a', '..')).toBe('.');
    expect(joined('a', '', 'b')).toBe('a/b');
    expect(joined('/', '..', 'a')).toBe('/a');
    expect(splitPath('/a/b/c.json')).toEqual({ folder: '/a/b', name: 'c.json' });
    expect(splitPath('c.json')).toEqual({ folder: '.', name: 'c.json' });
    expect(splitPath('/c')).toEqual({ folder: '/', name: 'c' });
    expect(splitPath('a/b/')).toEqual({ folder: 'a', name: 'b' });
  });

  it('tells files, folders and nothing apart', async () => {
    await writeTextFiles(inside('d/e'), { f: 'text' });
    expect(await isFolder(inside('d'))).toBe(true);
    expect(await isFolder(inside('d/e/f'))).toBe(false);
    expect(await isFolder(inside('nowhere'))).toBe(false);
    expect(await listFolder(dir)).toEqual(['d']);
    expect(await listFolder(inside('d/e/f'))).toBeUndefined();
    await expect(listFolder(inside('nowhere'))).rejects.toThrow(/nowhere does not exist$/);
    expect(await namesIn(inside('nowhere'))).toEqual([]);
    expect(await namesIn(inside('d/e/f'))).toEqual([]);
  });

  it('knows what is in a folder', async () => {
    await writeTextFiles(inside('d'), { f: '' });
    expect(await isWithin(inside('d/f'), dir)).toBe(true);
    expect(await isWithin(dir, dir)).toBe(true);
    expect(await isWithin(inside('d/../d/f'), inside('d'))).toBe(true);
    expect(await isWithin(dir, inside('d'))).toBe(false);
    expect(await isWithin(inside('d/nowhere'), dir)).toBe(false);
  });

  it('lists names in order', async () => {
    for (const name of ['b', 'a', 'c.txt', 'B']) await atomicWrite(inside(name), '');
    await makeFolder(inside('bb/x'));
    expect(await namesIn(dir)).toEqual(['B', 'a', 'b', 'bb', 'c.txt']);
  });

  it('reads anywhere in a file, and says where it ends', async () => {
    await atomicWrite(inside('f'), 'abcdefgh');
    const file = await openFile(inside('f'));
    expect(file.byteLength).toBe(8);
    const target = new Uint8Array(4);
    expect([await file.read(target, 2), utf8(target)]).toEqual([4, 'cdef']);
    expect([await file.read(target, 6), utf8(target)]).toEqual([2, 'ghef']);
    expect(await file.read(target, 8)).toBe(0);
    expect(await file.read(new Uint8Array(), 0)).toBe(0);
    await file.close();
  });

  it('keeps an open file as it was when another takes its name', async () => {
    await atomicWrite(inside('f'), 'old');
    const file = await openFile(inside('f'));
    await atomicWrite(inside('f'), 'newer');
    const target = new Uint8Array(3);
    await file.read(target, 0);
    await file.close();
    expect([utf8(target), await read('f')]).toEqual(['old', 'newer']);
  });

  it('refuses what is no file in a sentence, and knows what is not there', async () => {
    const missing = openFile(inside('nowhere'));
    await expect(missing).rejects.toThrow(FileError);
    await expect(missing).rejects.toMatchObject({ missing: true, file: inside('nowhere') });
    await expect(missing).rejects.toThrow(/nowhere does not exist$/);
    const isFolder = readWholeFile(dir);
    await expect(isFolder).rejects.toMatchObject({ missing: false });
    await expect(isFolder).rejects.toThrow(/is a folder, not a file$/);
    await atomicWrite(inside('long'), 'abc');
    await expect(readIfThere(inside('long'), 2)).rejects.toThrow(/long has 3 bytes, over the limit of 2 /);
    expect(await readIfThere(inside('nowhere'))).toBeUndefined();
    expect(await folderReader(dir)('nowhere')).toBeUndefined();
    expect(await fileDigest(inside('nowhere'))).toBeUndefined();
  });

  it('refuses places that can never be written', async () => {
    await atomicWrite(inside('f'), '');
    await expect(makeFolder(inside('f'))).rejects.toThrow(PlaceError);
    await expect(makeFolder(inside('f'))).rejects.toThrow(/f is a file, not a folder$/);
    await expect(makeFolder(inside('f/g/h'))).rejects.toThrow(
      /g\/h cannot be made, because part of its path is a file$/,
    );
    await makeFolder(inside('d'));
    await expect(atomicWrite(inside('d'), '')).rejects.toThrow(/\/d is a folder, not a file$/);
    await expect(appendTo(inside('d'))).rejects.toThrow(/\/d is a folder, not a file$/);
    await expect(atomicWrite(inside('no/x'), '')).rejects.toThrow(/no\/x cannot be written: /);
    expect(await namesIn(dir)).toEqual(['d', 'f']);
  });

  it('shows staged files only when they are committed', async () => {
    const staged = await stageFile(inside('f'), async (file) => {
      const piece = bytes('ab');
      await file.write(piece);
      piece.fill(0);
      await file.write(bytes('c'));
    });
    expect(await readIfThere(inside('f'))).toBeUndefined();
    await staged.commit();
    await staged.discard();
    expect(await read('f')).toBe('abc');
    await (await stageFile(inside('f'), 'never')).discard();
    expect(await read('f')).toBe('abc');
    expect(await namesIn(dir)).toEqual(['f']);
  });

  it('appends, cuts and removes', async () => {
    const file = await appendTo(inside('log'));
    await file.append('one\ntwo\n');
    await file.append(bytes('three\nfo'));
    await file.sync();
    expect(await read('log')).toBe('one\ntwo\nthree\nfo');
    await file.close();
    await keepLines(inside('log'), () => true);
    expect(await read('log')).toBe('one\ntwo\nthree\n');
    await keepLines(inside('log'), (line) => line !== 'two');
    await keepLines(inside('nowhere'), () => true);
    expect(await read('log')).toBe('one\n');
    const again = await appendTo(inside('log'));
    await again.append('more\n');
    await again.close();
    expect(await read('log')).toBe('one\nmore\n');
    await removeAll(inside('log'));
    await removeAll(inside('nowhere'));
    expect(await namesIn(dir)).toEqual([]);
  });

  it('replaces a folder all or nothing', async () => {
    const target = inside('parents/step');
    const fill = (value: string) => async (folder: string) => {
      await makeFolder(join(folder, 'sub'));
      await atomicWrite(join(folder, 'sub', 'v'), value);
    };
    await replaceFolder(target, fill('1'));
    await atomicWrite(join(target, 'extra'), '');
    const failing = replaceFolder(target, async (folder) => {
      await fill('2')(folder);
      throw new Error('stop');
    });
    await expect(failing).rejects.toThrow('stop');
    expect([await read('parents/step/sub/v'), await namesIn(target)]).toEqual(['1', ['extra', 'sub']]);
    await replaceFolder(target, fill('3'));
    await recoverFolder(inside('parents'));
    expect([await read('parents/step/sub/v'), await namesIn(target)]).toEqual(['3', ['sub']]);
    expect(await namesIn(inside('parents'))).toEqual(['step']);
  });

  it('copies files and digests them', async () => {
    const content = Uint8Array.from({ length: 2 ** 20 + 7 }, (_, i) => i * 31);
    await atomicWrite(inside('f'), content);
    await copyInto(inside('f'), inside('made/for/it'));
    await copyInto(inside('f'), inside('f'));
    expect(Buffer.compare(await readWholeFile(inside('made/for/it')), content)).toBe(0);
    await atomicWrite(inside('abc'), 'abc');
    expect(await fileDigest(inside('abc'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('lets one hold a lock at a time', async () => {
    const lock = await lockFile(inside('lock'));
    await expect(lockFile(inside('lock'))).rejects.toThrow(/lock is held by /);
    await lock.release();
    await (await lockFile(inside('lock'))).release();
  });
});

describe('the platform', () => {
  it('says what it lacks', async () => {
    const before = setPlatform({ files: new MemoryFiles({ 'data/x.parquet': 'PAR1' }) });
    try {
      const { loadDataset } = await import('../data/index.js');
      await expect(loadDataset('data')).rejects.toThrow(
        'the platform has no tables: hand them to setPlatform',
      );
    } finally {
      setPlatform(before as Platform);
    }
  });
});
