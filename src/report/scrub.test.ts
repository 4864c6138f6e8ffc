import { describe, expect, test } from 'vitest';
import { scrubbed, shortPath, withoutPaths } from './scrub.js';

describe('absolute paths', () => {
  test.each([
    ['/home/jo/data/train.jsonl', '…/train.jsonl'],
    ['/data', '…/data'],
    ['~/models/qwen/', '…/qwen'],
    ['C:\\Users\\jo\\run', '…/run'],
    ['\\\\server\\share\\run', '…/run'],
    ['file:///home/jo/x.png', '…/x.png'],
    ['runs/first', 'runs/first'],
    ['Qwen/Qwen2-VL-2B-Instruct', 'Qwen/Qwen2-VL-2B-Instruct'],
    ['../data/train.jsonl', '../data/train.jsonl'],
  ])('%s', (path, short) => {
    expect(shortPath(path)).toBe(short);
    expect(withoutPaths(path)).toBe(short);
  });

  test('inside of text, and nothing that only looks like one', () => {
    expect(withoutPaths('osler grpo --data=/home/jo/a b.json')).toBe('osler grpo --data=…/a b.json');
    expect(withoutPaths('loaded "/home/jo/m.safetensors", 3/4 of it')).toBe(
      'loaded "…/m.safetensors", 3/4 of it',
    );
    const template = '{Question} <think>...</think> and/or <answer>...</answer>, 2/3, /a';
    expect(withoutPaths(template)).toBe(template);
  });

  test('everywhere in a value', () => {
    expect(scrubbed({ a: ['/x/y', 1, null], '/k/l': { b: 'c' } })).toEqual({
      a: ['…/y', 1, null],
      '…/l': { b: 'c' },
    });
  });
});
