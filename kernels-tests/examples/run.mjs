/**
 * Runs every example, each in a folder of its own with stand-ins for the files that it names, and prints a line of JSON for
 * each. All run in this process and on one device: opening devices and compiling kernels would take longer than the rest.
 *
 *     node dist/platform/launcher/run.js kernels-tests/examples/run.mjs
 *     node kernels-tests/examples/run.mjs --list
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Gpu } from '../../dist/gpu/index.js';
import { hasNatsServer } from '../../dist/platform/launcher/nats.js';
import { examples, shellWords } from './collect.mjs';
import { madeSmall, withOptions } from './small.mjs';
import { makeKit, placeStandIns } from './stand-ins.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = new URL('../../dist/cli/main.js', import.meta.url);
const scripts = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).scripts;

/**
 * Commands that run until they are told to stop: where examples say that they listen, options for any free port, what they say
 * when they are up, and a page that shows that they are.
 */
const SERVERS = {
  serve: {
    shown: 'http://127.0.0.1:8000',
    free: ['--port', '0'],
    up: /http:\/\/127\.0\.0\.1:\d+/,
    page: '/v1/models',
  },
  watch: {
    shown: 'http://127.0.0.1:8780',
    free: ['--port', '0'],
    up: /http:\/\/127\.0\.0\.1:\d+/,
    page: '/',
  },
  page: {
    shown: 'http://127.0.0.1:8790',
    free: ['--port', '0'],
    up: /http:\/\/127\.0\.0\.1:\d+/,
    page: '/',
  },
  hub: { shown: 'nats://lab-1:4222', free: ['--listen', '127.0.0.1:0'], up: /nats:\/\/127\.0\.0\.1:\d+/ },
  worker: { up: /waits for a run/ },
};

async function runAll(folder) {
  const print = process.stdout.write.bind(process.stdout);
  shareDevices();
  const place = fs.mkdirSync(path.join(folder, 'kit'), { recursive: true }) && path.join(folder, 'kit');
  process.chdir(place);
  const kit = await makeKit(place, (words) => mustRun(words));
  // Others ask the servers: these are started first, and stopped when all is done.
  const isServer = ({ text }) => shellWords(text)[1] in SERVERS;
  const all = examples();
  const running = [];
  for (const [i, example] of [...all.filter(isServer), ...all.filter((e) => !isServer(e))].entries()) {
    process.chdir(fs.mkdirSync(path.join(folder, String(i)), { recursive: true }));
    const start = performance.now();
    let problem;
    try {
      problem = await runExample(example.text, kit, running);
    } catch (error) {
      problem = error.stack;
    }
    print(`${JSON.stringify({ ...example, problem, seconds: (performance.now() - start) / 1000 })}\n`);
  }
  process.emit('SIGTERM', 'SIGTERM');
  for (const { done } of running) await done;
  process.chdir(root);
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit();
}

/** Every command opens a device and destroys it at its end; here the same ones serve all. */
function shareDevices() {
  const open = Gpu.open.bind(Gpu);
  const devices = new Map();
  Gpu.open = (options) => {
    if (!devices.has(options.tier)) devices.set(options.tier, open(options));
    return devices.get(options.tier);
  };
  Gpu.prototype.destroy = async () => {};
}

/** Runs a line as a shell would; returns what went wrong, if anything did. */
async function runExample(line, kit, running) {
  const there = running.reduce(
    (text, { shown, address }) => (shown ? text.replaceAll(shown, address) : text),
    line,
  );
  const words = shellWords(there);
  const environment = words.splice(
    0,
    words.findIndex((word) => !/^[A-Z_]+=/.test(word)),
  );
  for (const setting of environment) {
    const [name, value] = setting.split('=');
    process.env[name] = value;
  }
  const osler = oslerWords(words);
  if (osler) return runOsler(osler, kit, running);
  if (words[0] === 'curl') return runCurl(words);
  if (words[0] === 'npm' && (words[1] === 'test' || words[1] === 'run') && scriptOf(words)) return undefined;
  return 'nothing here knows how to run this; see kernels-tests/examples/run.mjs';
}

/** The words for `osler`, however it is started; undefined where the line starts something else. */
function oslerWords(words) {
  if (words[0] === 'osler') return words.slice(1);
  if (words[0] === 'npx' && words[1] === 'osler') return words.slice(2);
  const [, fixed] = /^node scripts\/osler\.mjs *(.*)$/.exec(scriptOf(words) ?? '') ?? [];
  if (fixed === undefined) return undefined;
  const end = words.indexOf('--');
  return [...shellWords(fixed), ...(end < 0 ? [] : words.slice(end + 1))];
}

/** The script of package.json that `npm test` or `npm run NAME` starts. */
function scriptOf([npm, ...words]) {
  if (npm !== 'npm') return undefined;
  const [verb, name] = words.filter((word) => !word.startsWith('-'));
  return scripts[verb === 'run' ? name : verb];
}

/** What ran before. */
const ran = new Set();

async function runOsler(given, kit, running) {
  const [command] = given;
  if (given.includes('--peers')) return 'skipped: installs the peers, 470 MB, and takes minutes';
  if (given.includes('--isa')) return "skipped: fetches real GPUs' drivers, 60 MB, and compiles for minutes";
  const needsNats = command === 'hub' || given.includes('--workers') || given.includes('--join');
  if (needsNats && !hasNatsServer()) return 'skipped: no nats-server is to be had';
  const words = await madeSmall(given);
  // Different words may come to the same when they are made small.
  if (ran.has(words.join(' '))) return undefined;
  ran.add(words.join(' '));
  await placeStandIns(words, kit);
  if (command in SERVERS) return startServer(words, running);
  if (words.includes('--resume')) {
    // There must be something to go on with, and a step to go.
    const first = await run(words.filter((word) => word !== '--resume'));
    if (first.exitCode !== 0) return `before --resume: ${first.output}`;
    words.push('--set', 'max_steps=2');
  }
  const { exitCode, output } = await run(words);
  return exitCode === 0 ? undefined : `exit code ${exitCode}\nosler ${words.join(' ')}\n${output}`;
}

/** Starts a command that stays, on any free port, and asks it for a page. */
async function startServer(words, running) {
  const { shown, free = [], up, page } = SERVERS[words[0]];
  const { done, output } = start(withOptions(words, free));
  let ended = false;
  done.then(() => {
    ended = true;
  });
  let address;
  while (!address && !ended) {
    await setTimeout(20);
    address = up.exec(output())?.[0];
  }
  if (!address) return `ended before it listened: ${output()}`;
  running.push({ shown, address, done });
  if (!page) return undefined;
  const { status } = await fetch(address + page);
  return status === 200 ? undefined : `${page} was answered with ${status}`;
}

async function runCurl(words) {
  const child = spawn('curl', ['--fail', '--silent', '--show-error', ...words.slice(1)]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  try {
    const [code] = await once(child, 'close');
    return code === 0 ? undefined : `exit code ${code}\n${output}`;
  } catch (error) {
    if (error.code === 'ENOENT') return 'skipped: there is no curl';
    throw error;
  }
}

let runs = 0;

/** Runs the command line anew in this process, as it is. */
function start(words) {
  let output = '';
  const write = [process.stdout.write, process.stderr.write];
  const collect = (text) => {
    output += text;
    return true;
  };
  process.stdout.write = collect;
  process.stderr.write = collect;
  process.argv = [process.argv[0], fileURLToPath(main), ...words];
  process.exitCode = 0;
  const done = import(`${main.href}?${runs++}`).then(() => {
    [process.stdout.write, process.stderr.write] = write;
    const exitCode = process.exitCode;
    process.exitCode = 0;
    return { exitCode, output };
  });
  return { done, output: () => output };
}

function run(words) {
  return start(words).done;
}

async function mustRun(words) {
  const { exitCode, output } = await run(await madeSmall(words));
  if (exitCode !== 0) throw new Error(`osler ${words.join(' ')}: exit code ${exitCode}\n${output}`);
}

if (process.argv.includes('--list')) {
  console.log(JSON.stringify(examples()));
} else {
  await runAll(fs.mkdtempSync(path.join(tmpdir(), 'osler-examples-')));
}
