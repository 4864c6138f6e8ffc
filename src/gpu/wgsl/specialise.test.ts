// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the directives under test use this syntax in plain text
import { describe, expect, test } from 'vitest';
import { reflect } from '../reflect.js';
import { specialise } from './specialise.js';

function expand(
  files: string | Record<string, string>,
  defines = {},
  mode: 'immediate' | 'uniform' = 'immediate',
): string {
  const all = typeof files === 'string' ? { 'main.wgsl': files } : files;
  return specialise('main.wgsl', (path) => all[path as keyof typeof all], defines, mode).code;
}

describe('directives', () => {
  test('#if takes the first true branch, nested', () => {
    const text = [
      '#define A // a',
      '#define B 1 | 2 // b',
      '#define C // c',
      '#define D 0..9 // d',
      '#define E "x" | "y" // e',
      '#if A\na\n#if B == 2 && !C\nab\n#endif\n#elif D > 1 || E != "y"\nd\n#else\nother\n#endif\nend',
    ].join('\n');
    expect(expand(text, { A: true, B: 2, D: 0, E: 'y' })).toBe('a\nab\nend');
    expect(expand(text, { A: 1, B: 2, C: true, D: 0, E: 'y' })).toBe('a\nend');
    expect(expand(text, { B: 1, D: 2, E: 'y' })).toBe('d\nend');
    expect(expand(text, { B: 1, D: 0, E: 'x' })).toBe('d\nend');
    expect(expand(text, { B: 1, D: 1, E: 'y' })).toBe('other\nend');
  });

  test('#for repeats with numbers in place of ${}', () => {
    const text = '#define N 1.. // n\n#for i in 0..N\n#for j in i..2\nx[${i * 4 + j}]\n#endfor\n#endfor';
    expect(expand(text, { N: 2 })).toBe('x[0]\nx[1]\nx[5]');
  });

  test('#include pastes once', () => {
    const files = {
      'main.wgsl': '#include "a.wgsl"\n#include "b.wgsl"',
      'a.wgsl': 'A',
      'b.wgsl': '#include "a.wgsl"\nB',
    };
    expect(expand(files)).toBe('A\nB');
  });

  test('bindings are numbered in the order of the text, and enable moves to the top', () => {
    const text =
      '#define B // b\nvar<storage, read> x: u32;\n#if B\nvar<storage> y: u32;\n#endif\n  var<storage, read> z: u32;\nenable f16;';
    expect(expand(text, { B: true }).split('\n')).toEqual([
      'enable f16;',
      '@group(0) @binding(0) var<storage, read> x: u32;',
      '@group(0) @binding(1) var<storage> y: u32;',
      '@group(0) @binding(2) var<storage, read> z: u32;',
    ]);
    expect(expand(text)).toContain('@binding(1) var<storage, read> z');
    expect(() => expand('@group(0) @binding(1) var<storage> x: u32;')).toThrow(
      'leave @group and @binding out',
    );
  });

  test('errors name the file and line', () => {
    expect(() => expand('#define A // a\n#if A\n')).toThrow('shaders/main.wgsl:2: #if without #endif');
    expect(() => expand('#iff A')).toThrow('unknown or unmatched directive #iff');
    expect(() => expand('${1 + }')).toThrow('shaders/main.wgsl:1: incomplete expression 1 +');
    expect(() => expand('${1 & 2}')).toThrow('shaders/main.wgsl:1: cannot read 1 & 2');
  });
});

describe('declarations', () => {
  const files = {
    'main.wgsl': '#define WIDTH 1 | 4..8 // w\n#include "a.wgsl"\n#if FORMAT == "bf16"\n#endif\n${WIDTH}',
    'a.wgsl': '#define FORMAT "f32" | "bf16" // f\n#if FORMAT == "f32"\n#endif',
  };
  const good = { WIDTH: 5, FORMAT: 'f32' };

  test.each([
    [
      { ...good, WIDHT: 4 },
      'shaders/main.wgsl does not declare WIDHT, which a launch gives; it declares FORMAT, WIDTH',
    ],
    [{ ...good, WIDTH: 2 }, 'shaders/main.wgsl:1: WIDTH is 2; it may be 1 | 4..8'],
    [{ ...good, WIDTH: 4.5 }, 'WIDTH is 4.5'],
    [{ ...good, WIDTH: 'f32' }, 'WIDTH is "f32"'],
    [{ ...good, FORMAT: 'f16' }, 'shaders/a.wgsl:1: FORMAT is "f16"; it may be "f32" | "bf16"'],
    [{ FORMAT: 'f32' }, 'shaders/main.wgsl:1: WIDTH was not given; it may be 1 | 4..8'],
  ])('a launch that gives %o', (defines, message) => {
    expect(expand(files, good)).toBe('5');
    expect(() => expand(files, defines)).toThrow(message);
  });

  test.each([
    [
      '#if ON\n#endif',
      'shaders/main.wgsl:1: ON is not declared; this file and its includes declare no names',
    ],
    [
      '#define A // a\n#if A\n#elif ON\n#endif',
      'shaders/main.wgsl:3: ON is not declared; this file and its includes declare A',
    ],
    ['#define A // a\n#if A\n${ON}\n#endif', 'shaders/main.wgsl:3: ON is not declared'],
    ['#for i in 0..2\n#endfor\n${i}', 'shaders/main.wgsl:3: i is not declared'],
    ['#for i in 0..N\n#endfor', 'shaders/main.wgsl:1: N is not declared'],
    [
      '#define F "a" | "b" // f\n#if F == "c"\n#endif',
      'shaders/main.wgsl:2: F is never "c"; it may be "a" | "b"',
    ],
    ['#define F "a" | "b" // f\n#if F\n#endif', 'shaders/main.wgsl:2: F is a word; compare it with == "a"'],
    ['#define A // a\n#if A || "a"\n#endif', 'shaders/main.wgsl:2: "a" is compared with nothing'],
    ['#define A 1 | 2', 'shaders/main.wgsl:1: expected #define NAME VALUES // what it means'],
    ['#define A one // a', 'shaders/main.wgsl:1: cannot read the values one of A'],
    ['#define A 1 // a\n#define A 2 // a', 'shaders/main.wgsl:2: A has other values at shaders/main.wgsl:1'],
  ])('%j is refused', (text, message) => {
    expect(() => expand(text, { A: true })).toThrow(message);
  });

  test('a file sees what it includes, not what includes it', () => {
    const inner = { 'main.wgsl': '#define A // a\n#include "a.wgsl"', 'a.wgsl': '#if A\n#endif' };
    expect(() => expand(inner)).toThrow('shaders/a.wgsl:1: A is not declared');
  });
});

describe('reflection', () => {
  const body = `struct Params { rows: u32, eps: f32, }
#params Params
var<storage, read_write> y: array<f32>;
var<storage, read> x: array<f32>;  // var<storage> ghost: u32`;

  test.each(['immediate', 'uniform'] as const)('reads bindings and parameters (%s)', (mode) => {
    const { bindings, params } = reflect('main.wgsl', expand(body, {}, mode));
    expect(bindings).toEqual([
      { name: 'y', access: 'read_write' },
      { name: 'x', access: 'read' },
    ]);
    expect(params).toEqual([
      { name: 'rows', type: 'u32' },
      { name: 'eps', type: 'f32' },
    ]);
  });

  test('refuses parameters that are not four bytes', () => {
    expect(() => reflect('m.wgsl', 'struct P { v: vec4f }\nvar<immediate> params: P;')).toThrow(
      'must be u32, i32 or f32',
    );
  });
});
