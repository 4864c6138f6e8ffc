// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the directives under test use this syntax in plain text
import { describe, expect, test } from 'vitest';
import { reflect } from '../src/gpu/reflect.js';
import { specialise } from '../src/gpu/wgsl.js';

function expand(
  files: Record<string, string>,
  defines = {},
  mode: 'immediate' | 'uniform' = 'immediate',
): string {
  return specialise('main.wgsl', (path) => files[path], defines, mode).code;
}

describe('directives', () => {
  test('#if takes the first true branch, nested', () => {
    const text = '#if A\na\n#if B == 2 && !C\nab\n#endif\n#elif D > 1 || E\nd\n#else\nother\n#endif\nend';
    expect(expand({ 'main.wgsl': text }, { A: true, B: 2 })).toBe('a\nab\nend');
    expect(expand({ 'main.wgsl': text }, { A: true, B: 2, C: true })).toBe('a\nend');
    expect(expand({ 'main.wgsl': text }, { D: 2 })).toBe('d\nend');
    expect(expand({ 'main.wgsl': text })).toBe('other\nend');
  });

  test('#for repeats with numbers in place of ${}', () => {
    const text = '#for i in 0..N\n#for j in i..2\nx[${i * 4 + j}]\n#endfor\n#endfor';
    expect(expand({ 'main.wgsl': text }, { N: 2 })).toBe('x[0]\nx[1]\nx[5]');
  });

  test('#include pastes once', () => {
    const files = {
      'main.wgsl': '#include "a.wgsl"\n#include "b.wgsl"',
      'a.wgsl': 'A',
      'b.wgsl': '#include "a.wgsl"\nB',
    };
    expect(expand(files)).toBe('A\nB');
  });

  test('errors name the file and line', () => {
    expect(() => expand({ 'main.wgsl': 'x\n#if A\n' })).toThrow('shaders/main.wgsl:2: #if without #endif');
    expect(() => expand({ 'main.wgsl': '${N}' })).toThrow('shaders/main.wgsl:1: N is not defined');
    expect(() => expand({ 'main.wgsl': '#iff A' })).toThrow('unknown or unmatched directive #iff');
    expect(() => expand({ 'main.wgsl': '#for i in 0..N\n#endfor' })).toThrow('N is not defined');
  });
});

describe('reflection', () => {
  const body = `struct Params { rows: u32, eps: f32, }
#params Params
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(0) var<storage, read> x: array<f32>;  // @group(0) @binding(7) var<storage> ghost: u32`;

  test.each(['immediate', 'uniform'] as const)('reads bindings and parameters (%s)', (mode) => {
    const { bindings, params } = reflect('main.wgsl', expand({ 'main.wgsl': body }, {}, mode));
    expect(bindings).toEqual([
      { name: 'x', access: 'read' },
      { name: 'y', access: 'read_write' },
    ]);
    expect(params).toEqual([
      { name: 'rows', type: 'u32' },
      { name: 'eps', type: 'f32' },
    ]);
  });

  test('refuses parameters that are not four bytes and gaps in the numbering', () => {
    expect(() => reflect('m.wgsl', 'struct P { v: vec4f }\nvar<immediate> params: P;')).toThrow(
      'must be u32, i32 or f32',
    );
    expect(() => reflect('m.wgsl', '@group(0) @binding(1) var<storage, read> x: u32;')).toThrow(
      '@binding(0) is missing',
    );
  });
});
