import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFiles } from './files.js';
import { parquetRows } from './parquet.js';
import { openRegular } from './regular.js';

const dir = mkdtempSync(path.join(tmpdir(), 'osler-regular-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('what is no regular file', () => {
  const pipe = path.join(dir, 'pipe.parquet');
  execFileSync('mkfifo', [pipe]);

  it('is not opened', async () => {
    const socket = path.join(dir, 'socket');
    const server = createServer().listen(socket);
    for (const file of [pipe, socket, '/dev/zero']) {
      await expect(openRegular(file)).rejects.toThrow(`${file} is not a regular file`);
    }
    await expect(openRegular(dir)).rejects.toMatchObject({ code: 'EISDIR' });
    server.close();
  });

  it('has no digest', async () => {
    await expect(nodeFiles.digest(pipe)).rejects.toThrow(`${pipe} is not a regular file`);
    await expect(nodeFiles.digest(dir)).rejects.toThrow(`${dir} is a folder, not a file`);
  });

  it('has no rows', async () => {
    await expect(parquetRows({ path: pipe }, {}).next()).rejects.toThrow(`${pipe} is not a regular file`);
  });
});
