import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { useFolders } from '../../formats/test-files.js';
import { atomicWrite, recoverFolder, replaceFolder, stageFile } from '../files.js';

const folder = useFolders(afterEach);
const text = (path: string) => readFile(path, 'utf8');

describe('atomicWrite', () => {
  it('writes strings, bytes and streams, and replaces', async () => {
    const dir = await folder();
    const path = join(dir, 'x');
    await atomicWrite(path, 'é');
    expect(await text(path)).toBe('é');
    await atomicWrite(path, Uint8Array.of(65, 66));
    expect(await text(path)).toBe('AB');
    await atomicWrite(path, async (file) => {
      await file.write(Buffer.from('one '));
      await file.write(Buffer.from('two'));
      expect(await text(path)).toBe('AB');
    });
    expect(await text(path)).toBe('one two');
    expect(await readdir(dir)).toEqual(['x']);
  });

  it('leaves the old file and no temporary when the content fails', async () => {
    const dir = await folder();
    const path = join(dir, 'x');
    await atomicWrite(path, 'old');
    const failing = atomicWrite(path, async (file) => {
      await file.write(Buffer.from('half'));
      throw new Error('stop');
    });
    await expect(failing).rejects.toThrow('stop');
    expect(await text(path)).toBe('old');
    expect(await readdir(dir)).toEqual(['x']);
  });

  it('names the file when the system refuses', async () => {
    const dir = await folder();
    await expect(atomicWrite(join(dir, 'no', 'x'), '')).rejects.toThrow(/no\/x cannot be written: ENOENT/);
    await mkdir(join(dir, 'd'));
    await expect(atomicWrite(join(dir, 'd'), '')).rejects.toThrow(/\/d is a folder, not a file$/);
    expect(await readdir(dir)).toEqual(['d']);
  });

  it('stages without showing', async () => {
    const dir = await folder();
    const staged = await stageFile(join(dir, 'x'), 'new');
    expect((await readdir(dir)).includes('x')).toBe(false);
    await staged.commit();
    await staged.discard();
    expect(await readdir(dir)).toEqual(['x']);
  });

  it('survives many writers of one file', async () => {
    const dir = await folder();
    const path = join(dir, 'x');
    await Promise.all(Array.from({ length: 20 }, (_, i) => atomicWrite(path, String(i).repeat(1000))));
    expect(await text(path)).toMatch(/^(\d\d?)\1{999}$/);
    expect(await readdir(dir)).toEqual(['x']);
  });
});

describe('replaceFolder', () => {
  const fill = (value: string) => async (dir: string) => {
    await mkdir(join(dir, 'sub'));
    await writeFile(join(dir, 'sub', 'v'), value);
  };
  const value = (dir: string) => text(join(dir, 'sub', 'v'));

  it('creates, replaces, and leaves nothing else', async () => {
    const dir = await folder();
    const target = join(dir, 'parents', 'too', 'step-1');
    await replaceFolder(target, fill('1'));
    await writeFile(join(target, 'extra'), '');
    await replaceFolder(target, fill('2'));
    expect(await value(target)).toBe('2');
    expect(await readdir(target)).toEqual(['sub']);
    expect(await readdir(join(dir, 'parents', 'too'))).toEqual(['step-1']);
  });

  it('keeps the old folder when filling fails', async () => {
    const dir = await folder();
    const target = join(dir, 'd');
    await replaceFolder(target, fill('1'));
    const failing = replaceFolder(target, async (temporary) => {
      await fill('2')(temporary);
      throw new Error('stop');
    });
    await expect(failing).rejects.toThrow('stop');
    expect(await value(target)).toBe('1');
    expect(await readdir(dir)).toEqual(['d']);
  });

  it('recovers from a crash at each step', async () => {
    const dir = await folder();
    const target = join(dir, 'd');
    const old = join(dir, '.d.osler-old');
    // Killed while filling.
    await replaceFolder(target, fill('1'));
    await mkdir(join(dir, '.d.osler-tmp-0123456789ab'));
    await writeFile(join(dir, '.x.osler-tmp-0123456789ab'), 'half a file');
    await recoverFolder(dir);
    expect(await readdir(dir)).toEqual(['d']);
    // Killed between the two renames.
    await rename(target, old);
    await recoverFolder(dir);
    expect(await value(target)).toBe('1');
    // The same, found by the next writer.
    await rename(target, old);
    await replaceFolder(target, async (temporary) => {
      expect(await value(target)).toBe('1');
      await fill('2')(temporary);
    });
    // Killed before the old folder was deleted.
    await mkdir(old);
    await recoverFolder(dir);
    expect(await readdir(dir)).toEqual(['d']);
    expect(await value(target)).toBe('2');
  });

  it('leaves other hidden files alone', async () => {
    const dir = await folder();
    for (const name of ['.gitignore', '.d.tmp', 'd.osler-old', '.osler-old', '.a.osler-tmp-xyz']) {
      await writeFile(join(dir, name), '');
    }
    await recoverFolder(dir);
    expect(await readdir(dir)).toHaveLength(5);
  });
});
