import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';

/** The signal that ends a process with a limit of 400 MB that fills some megabytes and works without a pause for a while. */
async function endOf(megabytes: number, seconds: number): Promise<unknown> {
  const script = `
    const { startWatchdog } = await import('#osler/platform/node/watchdog.js');
    startWatchdog(400);
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

it('ends a process in the middle of its work when whoever started it is gone', async () => {
  const spinning = `
    const { startWatchdog } = await import('#osler/platform/node/watchdog.js');
    startWatchdog();
    console.log(process.pid);
    for (;;);
  `;
  const starting = `
    const child = require('node:child_process').spawn(
      process.execPath,
      ['--input-type=module', '--eval', ${JSON.stringify(spinning)}],
      { stdio: ['ignore', 'inherit', 'ignore'] },
    );
    setInterval(() => child.pid, 1000);
  `;
  const parent = spawn(process.execPath, ['--eval', starting], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: parent.stdout });
  await once(lines, 'line');
  parent.kill('SIGKILL');
  // The pipe is closed when the last process that could write to it has ended.
  await once(lines, 'close');
});
