/** Every example of `--help` and the README runs, on tiny models and a hub of this machine. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Hub } from '../../src/platform/node/hub/test-hub.js';

interface Example {
  readonly where: string;
  readonly text: string;
}

const runner = fileURLToPath(new URL('./run.mjs', import.meta.url));
const launcher = fileURLToPath(new URL('../../dist/platform/launcher/run.js', import.meta.url));
const listed = spawnSync(process.execPath, [runner, '--list'], { encoding: 'utf8' });
const examples = JSON.parse(listed.stdout || `"${listed.stderr}"`) as Example[];

const hub = new Hub();
/** What went wrong with an example, or why it did not run. */
const problems = new Map<string, string | undefined>();
let complaint = '';

// Takes half a minute: some fifty commands run as they are, but for sizes. Nothing else starts every one of them.
beforeAll(async () => {
  const env = { ...process.env, HF_ENDPOINT: await hub.open() };
  const child = spawn(process.execPath, [launcher, runner], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let lines = '';
  child.stdout.on('data', (text) => {
    lines += text;
  });
  child.stderr.on('data', (text) => {
    complaint += text;
  });
  await new Promise((resolve) => child.on('close', resolve));
  for (const line of lines.split('\n').filter(Boolean)) {
    const { text, problem } = JSON.parse(line) as Example & { problem?: string };
    problems.set(text, problem);
  }
}, 1_200_000);

afterAll(() => hub.close());

for (const { where, text } of examples) {
  it(`${where}: ${text}`, ({ skip }) => {
    expect(problems.has(text), complaint).toBe(true);
    const problem = problems.get(text);
    if (problem?.startsWith('skipped: ')) skip(problem.replace('skipped: ', ''));
    expect(problem).toBeUndefined();
  });
}
