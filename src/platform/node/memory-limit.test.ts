import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

/** The signal that ends a process with a limit of 400 MB, which fills some megabytes and works without a pause for a while. */
async function endOf(megabytes: number, seconds: number): Promise<unknown> {
  const script = `
    const { endAboveMegabytes } = await import('#osler/platform/node/memory-limit.js');
    endAboveMegabytes(400);
    const filled = Buffer.alloc(${megabytes} << 20, 1);
    while (process.cpuUsage().user < ${seconds}e6);
    process.exit(filled[0]);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'ignore' });
  return (await once(child, 'exit'))[1];
}

it('ends a process in the middle of its work when it holds too much memory', async () => {
  expect(await endOf(600, 60)).toBe('SIGKILL');
  expect(await endOf(1, 0.3)).toBeNull();
});
