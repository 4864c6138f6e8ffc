import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasNatsServer } from '../../platform/launcher/nats.js';
import { localExchange, UnitFailure } from '../exchange.js';
import { TestCluster, type ToyInput, toyStep, toyWork } from './test-cluster.js';

let cluster: TestCluster;

const shared = new Float32Array(300_000);
const inputs: ToyInput[] = [1, 2, 3, 4].map((value) => ({ value, shared }));

/** Expects what a local run gives. Compared as bytes: element by element takes long. */
async function expectLocal(results: readonly Float32Array[]): Promise<void> {
  const wanted: Float32Array[] = [];
  await localExchange.run(toyWork(cluster.weights), { inputs }, toyStep(1), (one) => void wanted.push(one));
  expect(results.length).toBe(wanted.length);
  const bytes = (list: Float32Array) => Buffer.from(list.buffer, list.byteOffset, list.byteLength);
  expect(results.map((one, i) => bytes(one).equals(bytes(wanted[i])))).toEqual(wanted.map(() => true));
}

// Needs the network once, where no nats-server is installed.
describe.skipIf(!hasNatsServer())('a cluster', () => {
  beforeAll(async () => {
    cluster = await TestCluster.start();
  });
  afterEach(() => cluster.letGo());
  afterAll(() => cluster.end());

  it('gives the results of a local run, whoever works, with the weights of the leader', async () => {
    const leader = await cluster.leader();
    const workers = [await cluster.worker('one'), await cluster.worker('two')];
    for (const [step, weight] of [7, 8, 8].entries()) {
      cluster.weights.values.set('a', new Float32Array([weight]));
      const results: Float32Array[] = [];
      await leader.run(
        toyWork(cluster.weights),
        { inputs },
        toyStep(step + 1),
        (one) => void results.push(one),
      );
      await expectLocal(results);
    }
    expect(workers.map(({ weights }) => weights.values.get('a')?.[0])).toContain(8);
    expect(leader.metrics()).toMatchObject({ 'cluster/workers': 2, 'cluster/units_redone': 0 });
    await leader.close({ forget: true });
  });

  it('goes on when the server is killed, and when a worker leaves in the middle of a unit', async () => {
    const leader = await cluster.leader({ hurry: true });
    let begun = () => {};
    const busy = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const first = await cluster.worker('first', (_, signal) => {
      begun();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
    });
    const results: Float32Array[] = [];
    const done = leader.run(
      toyWork(cluster.weights),
      { inputs },
      toyStep(1),
      (one) => void results.push(one),
    );
    await busy;
    await cluster.worker('second');
    process.kill(cluster.server.pid as number, 'SIGKILL');
    await first.stop();
    await done;
    await expectLocal(results);
    await leader.close();
  });

  it('finds what was finished when a leader comes back', async () => {
    const gone = await cluster.leader();
    const stop = new AbortController();
    const worker = await cluster.worker('one');
    const results: Float32Array[] = [];
    const first = gone.run(toyWork(cluster.weights), { inputs }, toyStep(1, stop.signal), () => {
      throw new Error('killed');
    });
    await expect(first).rejects.toThrow('killed');
    await worker.stop();
    await gone.close();
    const leader = await cluster.leader();
    await cluster.worker('two');
    await leader.run(toyWork(cluster.weights), { inputs }, toyStep(1), (one) => void results.push(one));
    await expectLocal(results);
    expect(leader.metrics()['cluster/units_reused']).toBeGreaterThan(0);
    await leader.close();
  });

  it('has a unit done again whose result a killed server has lost', async () => {
    const leader = await cluster.leader();
    let lost = () => {};
    const isLost = new Promise<void>((resolve) => {
      lost = resolve;
    });
    let isFirst = true;
    // The first unit is held until the result of another one has come and gone.
    const before = async (value: number) => {
      if (value === 1) await isLost;
      if (value !== 4 || !isFirst) return;
      isFirst = false;
      await cluster.lose('1.lane.1');
      lost();
    };
    for (const name of ['one', 'two']) await cluster.worker(name, before);
    const results: Float32Array[] = [];
    await leader.run(toyWork(cluster.weights), { inputs }, toyStep(1), (one) => void results.push(one));
    await expectLocal(results);
    expect(leader.metrics()).toMatchObject({ 'cluster/units_redone': 1 });
    await leader.close();
  });

  it('ends with the error of a unit that fails everywhere, and tries again one that fails once', async () => {
    const leader = await cluster.leader();
    let failures = 0;
    const fail = async (value: number) => {
      if (value === 2 && failures++ === 0) throw new Error('once');
      if (value === 5) throw new Error('no memory');
    };
    for (const name of ['one', 'two', 'three']) await cluster.worker(name, fail);
    const results: Float32Array[] = [];
    await leader.run(toyWork(cluster.weights), { inputs }, toyStep(1), (one) => void results.push(one));
    await expectLocal(results);
    const poison = leader.run(
      toyWork(cluster.weights),
      { inputs: [{ value: 5, shared }] },
      toyStep(2),
      () => {},
    );
    await expect(poison).rejects.toThrow(UnitFailure);
    await expect(poison).rejects.toThrow(/unit 2\.lane\.0 failed 3 times, .*worker \w+: no memory/);
    const blamed = cluster.notes.flatMap(
      (line) => /^worker (\w+) failed at unit 2\.lane\.0/.exec(line)?.[1] ?? [],
    );
    expect(blamed.sort()).toEqual(['one', 'three', 'two']);
    await leader.close();
  });

  it('puts out who has another result than two others, and learns from theirs', async () => {
    const leader = await cluster.leader({ verify: 1 });
    let lied = () => {};
    const lie = new Promise<void>((resolve) => {
      lied = resolve;
    });
    const results: Float32Array[] = [];
    for (const name of ['one', 'two']) await cluster.worker(name, () => lie);
    const liar = await cluster.worker('liar', async () => lied(), 1);
    await leader.run(toyWork(cluster.weights), { inputs }, toyStep(1), (one) => void results.push(one));
    await expectLocal(results);
    expect(cluster.notes.join('\n')).toMatch(/worker liar is put out: its result for unit 1\.lane\.\d/);
    expect(cluster.notes.join('\n')).not.toMatch(/worker (one|two) is put out/);
    expect(leader.metrics()).toMatchObject({ 'cluster/units_verified': 4, 'cluster/twins_differing': 1 });
    await expect(liar.ended).rejects.toThrow('has put this worker out');
    await leader.close();
  });

  it('gives the unit of a straggler to another worker, and the first result counts', async () => {
    const leader = await cluster.leader({ hurry: true });
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = () => {};
    const busy = new Promise<void>((resolve) => {
      begun = resolve;
    });
    await cluster.worker('slow', () => {
      begun();
      return released;
    });
    const results: Float32Array[] = [];
    const done = leader.run(
      toyWork(cluster.weights),
      { inputs },
      toyStep(1),
      (one) => void results.push(one),
    );
    await busy;
    await cluster.worker('quick');
    await done;
    release();
    await expectLocal(results);
    const metrics = leader.metrics();
    expect(metrics['cluster/units_redone']).toBeGreaterThan(0);
    expect(metrics['cluster/twins_differing']).toBe(0);
    await leader.close();
  });

  it('stops waiting when the run is to stop', async () => {
    const leader = await cluster.leader();
    const stop = new AbortController();
    const run = leader.run(toyWork(cluster.weights), { inputs }, toyStep(1, stop.signal), () => {});
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(run).rejects.toThrow('enough');
    await leader.close();
  });
});
