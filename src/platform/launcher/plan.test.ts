import { describe, expect, it } from 'vitest';
import { mesaVersion, parseDriver, plan, type Situation, vectorWidth } from './plan.js';
import { type FoundAdapter, readProbe } from './probe.js';

const gpu: FoundAdapter = { vendor: 'nvidia', name: 'H100', driver: 'NVIDIA: 570.1', software: false };
const mesa = (version: string): FoundAdapter => ({
  vendor: 'mesa',
  name: 'llvmpipe',
  driver: `llvmpipe: Mesa ${version} (LLVM 19.1.7)`,
  software: true,
});
const nothing: Situation = { wanted: 'auto', found: undefined, pinned: false, gpuWithoutLoader: false };

describe('the decision table', () => {
  const cases: [string, Partial<Situation>, string[]][] = [
    ['a GPU', { found: gpu }, ['here']],
    ['nothing', {}, ['private', 'installed']],
    ['a current software driver', { found: mesa('26.1.6') }, ['here']],
    ['an old software driver', { found: mesa('25.0.7') }, ['private', 'installed']],
    ['an old software driver that the user chose', { found: mesa('25.0.7'), pinned: true }, ['here']],
    ['drivers that the user chose and that do not work', { pinned: true }, ['private', 'installed']],
    ['a GPU without a Vulkan loader', { gpuWithoutLoader: true }, ['private-loader', 'private', 'installed']],
    ['hardware wanted, a GPU', { wanted: 'hardware', found: gpu }, ['here']],
    ['hardware wanted, no loader', { wanted: 'hardware', gpuWithoutLoader: true }, ['private-loader']],
    ['hardware wanted, a software driver', { wanted: 'hardware', found: mesa('26.0.0') }, []],
    ['software wanted, a GPU', { wanted: 'software', found: gpu }, ['private', 'installed']],
    ['system wanted, an old software driver', { wanted: 'system', found: mesa('22.3.6') }, ['here']],
    ['system wanted, nothing found', { wanted: 'system', gpuWithoutLoader: true }, ['installed']],
  ];
  it.each(cases)('%s', (_, changes, steps) => {
    expect(plan({ ...nothing, ...changes })).toEqual(steps);
  });
});

describe('settings', () => {
  it('reads OSLER_DRIVER', () => {
    expect(parseDriver(undefined)).toBe('auto');
    expect(parseDriver('')).toBe('auto');
    expect(parseDriver(' Software ')).toBe('software');
    expect(parseDriver('gpu')).toBeUndefined();
  });

  it('reads the version of Mesa', () => {
    expect(mesaVersion('llvmpipe: Mesa 26.1.6-1~bpo13+1 (LLVM 19.1.7)')).toBe(26);
    expect(mesaVersion('SwiftShader driver 5.0.0')).toBe(0);
  });

  it('asks for the widest vectors that the CPU has in full', () => {
    const cpu = (flags: string) => `processor : 0\nflags\t\t: fpu ${flags}\nbugs :\n`;
    expect(vectorWidth(cpu('avx2 avx512f avx512bw avx512dq avx512vl'))).toBe('512');
    expect(vectorWidth(cpu('avx2 avx512f'))).toBe('256');
    expect(vectorWidth(cpu('sse4_2'))).toBeUndefined();
    expect(vectorWidth('')).toBeUndefined();
  });
});

describe('what a probe printed', () => {
  it('is the adapter', () => {
    const noise = 'Warning: maxX artificially reduced from 500000 to 16\n';
    expect(readProbe(`${JSON.stringify({ found: gpu })}\n`, noise)).toEqual({
      found: gpu,
      problem: '',
      noLoader: false,
    });
  });

  it('is the reason, where there is no adapter', () => {
    const stderr =
      "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open\n    at operator() (x.cpp:368)\n";
    const probe = readProbe('{"found":null}\n', stderr);
    expect(probe).toMatchObject({ found: undefined, noLoader: true });
    expect(probe.problem).toBe("Couldn't load Vulkan: libvulkan.so.1: cannot open");
    expect(readProbe('', '', 'SIGSEGV').problem).toBe('SIGSEGV');
    expect(readProbe('', '').problem).toBe('no adapter was found');
  });
});
