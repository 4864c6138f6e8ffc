/** What native code prints is kept back line by line, or not at all. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readProbe } from './probe.js';

const STDERR = new URL('../../../dist/platform/launcher/stderr.js', import.meta.url).href;
const folder = mkdtempSync(path.join(os.tmpdir(), 'osler-stderr-'));
afterAll(() => rmSync(folder, { recursive: true }));

const warning = (name: string) =>
  `Warning: maxDynamic${name}BuffersPerPipelineLayout artificially reduced from 500000 to 16 to fit dynamic offset allocation limit.`;
const NOISE = `${warning('Uniform')}\n${warning('Storage')}\n`;

/** Prints as native code does, past Node: noise, and an error of the driver. `before` runs just before. */
function program(before = ''): string {
  const code = `
    import { spawnSync } from 'node:child_process';
    import * as fs from 'node:fs';
    import { DAWN_NOISE, withoutLines } from ${JSON.stringify(STDERR)};
    const print = (text) => spawnSync('printf', ['%s', text], { stdio: ['ignore', 2, 2] });
    console.error('before');
    ${before}
    const given = await withoutLines(DAWN_NOISE, () => {
      print(${JSON.stringify(`${warning('Uniform')}\nERROR: no memory\n${warning('Storage')}\nunfinished`)});
      return 7;
    });
    print('\\nlater\\n');
    console.error(given);
    process.exit();`;
  return `'${process.execPath}' --input-type=module -e '${code.replaceAll("'", `'\\''`)}'`;
}

/** What the shell's command prints. */
function shell(command: string): string {
  return spawnSync('sh', ['-c', command], { encoding: 'utf8' }).stdout;
}

const KEPT_BACK = 'before\nERROR: no memory\nunfinished\nlater\n7\n';
const LEFT_ALONE = `before\n${warning('Uniform')}\nERROR: no memory\n${warning('Storage')}\nunfinished\nlater\n7\n`;

describe.runIf(process.platform === 'linux')('lines of native code', () => {
  it('are kept back from a pipe', () => {
    expect(shell(`${program()} 2>&1 | cat`)).toBe(KEPT_BACK);
  });

  it('are kept back from a file that is appended to, beside what others write there', () => {
    const file = path.join(folder, 'appended');
    shell(`(echo first; ${program()}; echo last) >>'${file}' 2>&1`);
    expect(readFileSync(file, 'utf8')).toBe(`first\n${KEPT_BACK}last\n`);
  });

  it('reach a file that is written from where it stands, which could not be opened anew', () => {
    const file = path.join(folder, 'written');
    shell(`(echo first; ${program()}; echo last) >'${file}' 2>&1`);
    expect(readFileSync(file, 'utf8')).toBe(`first\n${LEFT_ALONE}last\n`);
  });

  it('are let through while files are being opened, which might be taken for the stream', () => {
    const opening = "process.getActiveResourcesInfo = () => ['TTYWrap', 'FSReqPromise'];";
    expect(shell(`${program(opening)} 2>&1 | cat`)).toBe(LEFT_ALONE);
  });

  it('are let through where nobody reads any more', () => {
    expect(
      shell(`(${program('spawnSync("sleep", ["0.3"]);')} 2>&1; echo $? >'${folder}/status') | true`),
    ).toBe('');
    expect(Number(readFileSync(path.join(folder, 'status'), 'utf8'))).toBeGreaterThanOrEqual(0);
  });
});

it('no probe takes the noise for the reason why nothing was found', () => {
  expect(readProbe('', `${NOISE}no device\n`).problem).toBe('no device');
});
