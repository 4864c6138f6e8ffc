/** What the published templates render, written out. */
import { describe, expect, it } from 'vitest';
import { ChatTemplate, type Message } from '../../../text/index.js';
import { QWEN3_TEMPLATE } from '../qwen3/template.js';
import { QWEN3_VL_TEMPLATE } from './template.js';

const IMAGE = '<|vision_start|><|image_pad|><|vision_end|>';
const turn = (role: string, content: string) => `<|im_start|>${role}\n${content}<|im_end|>\n`;
const image = { type: 'image' } as const;
const text = (value: string) => ({ type: 'text', text: value }) as const;

describe('the template of Qwen3-VL', () => {
  const template = new ChatTemplate({ source: QWEN3_VL_TEMPLATE });

  it('adds no system message, and keeps a first one', () => {
    const question: Message = { role: 'user', content: [image, text('What?')] };
    const asked = `${turn('user', `${IMAGE}What?`)}<|im_start|>assistant\n`;
    expect(template.render([question], { addGenerationPrompt: true })).toBe(asked);
    const system: Message = { role: 'system', content: 'Be brief.' };
    expect(template.render([system, question], { addGenerationPrompt: true })).toBe(
      `${turn('system', 'Be brief.')}${asked}`,
    );
  });

  it('numbers pictures through all turns, and ends each turn', () => {
    const messages: Message[] = [
      { role: 'user', content: [image, text(' and '), image] },
      { role: 'assistant', content: [text('Same.')] },
      { role: 'system', content: 'Later ones are left out.' },
      { role: 'user', content: [image] },
    ];
    expect(template.render(messages, { addVisionId: true })).toBe(
      turn('user', `Picture 1: ${IMAGE} and Picture 2: ${IMAGE}`) +
        turn('assistant', 'Same.') +
        turn('user', `Picture 3: ${IMAGE}`),
    );
  });
});

it('the template of Qwen3 renders turns as they are', () => {
  const template = new ChatTemplate({ source: QWEN3_TEMPLATE });
  const messages: Message[] = [
    { role: 'system', content: 'S' },
    { role: 'user', content: [text('a'), text('b')] },
    { role: 'assistant', content: 'c' },
  ];
  expect(template.render(messages, { addGenerationPrompt: true })).toBe(
    `${turn('system', 'S')}${turn('user', 'ab')}${turn('assistant', 'c')}<|im_start|>assistant\n`,
  );
});
