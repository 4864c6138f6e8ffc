/** A relaunched program must look to its caller as if it had been started directly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';

const RELAUNCH = new URL('../../../dist/platform/launcher/relaunch.js', import.meta.url).href;
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Starts a process that relaunches Node with `code`; `execve` is hidden, so that the same path runs on every Node. */
function start(code: string): ChildProcess {
  const script = `
    process.execve = undefined;
    const { relaunch } = await import(${JSON.stringify(RELAUNCH)});
    await relaunch(process.execPath, ['-e', ${JSON.stringify(code)}], process.env);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  return child;
}

function ending(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal));
  });
}

/** The first line that the relaunched program prints. */
function line(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.stdout?.once('data', (data) => resolve(String(data).split('\n')[0]));
  });
}

it('ends with the exit code of the program', async () => {
  expect(await ending(start('process.exit(5)'))).toBe(5);
});

it.skipIf(process.platform === 'win32')('ends by the signal that ended the program', async () => {
  expect(await ending(start('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 60000)'))).toBe(
    'SIGKILL',
  );
});

it.skipIf(process.platform === 'win32')('hands signals on', async () => {
  const child = start(
    'process.on("SIGTERM", () => process.exit(9)); console.log("up"); setTimeout(() => {}, 60000)',
  );
  await line(child);
  child.kill('SIGTERM');
  expect(await ending(child)).toBe(9);
});

it.runIf(existsSync('/usr/bin/setpriv'))('does not leave the program behind when it is killed', async () => {
  const child = start('console.log(process.pid); setInterval(() => console.log("alive"), 5)');
  const closed = new Promise((resolve) => child.stdout?.on('close', resolve));
  expect(Number(await line(child))).toBeGreaterThan(0);
  child.kill('SIGKILL');
  // The pipe closes when the last of the two is gone; a program left behind would write on for ever.
  await closed;
});
