import { beforeAll, describe, expect, it } from 'vitest';
import { ChatTemplate, findChatTemplate } from './chat-template.js';
import { coderInPlace } from './coder.js';
import { QWEN_VL_TEMPLATE } from './default-templates.js';
import { TextError } from './errors.js';
import { imagesOf, type Message, parseMessages } from './messages.js';
import { encodeConversation, encodePrompt, expandImageTokens, IMAGE_PAD } from './prompt.js';
import { cases, fixtureTokenizer, folderOf } from './test-files.js';
import type { Tokenizer } from './tokenizer.js';

let tokenizer: Tokenizer;
let known: Awaited<ReturnType<typeof cases>>;
const template = new ChatTemplate();
beforeAll(async () => {
  tokenizer = await fixtureTokenizer();
  known = await cases();
});

const image = { type: 'image' } as const;
const text = (value: string) => ({ type: 'text', text: value }) as const;

describe('ChatTemplate', () => {
  it('renders the golden', () => {
    const messages: Message[] = [
      { role: 'system', content: 'SYS' },
      { role: 'user', content: [image, text('What?')] },
    ];
    expect(template.render(messages, { addGenerationPrompt: true })).toBe(
      '<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What?<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('renders as transformers does', () => {
    for (const chat of known.chat) {
      const options = { addGenerationPrompt: chat.gen, addVisionId: chat.ids === true };
      expect(template.render(chat.messages, options)).toBe(chat.text);
    }
  });

  it('shows pictures to the template without their pixels, and only real fields', () => {
    const spy = new ChatTemplate({
      source: '{% for p in messages[0].content %}{{ p.keys() | list | join(",") }};{% endfor %}',
    });
    const content = [{ type: 'image' as const, image: new Uint8Array(1e6) }, text('x')];
    expect(spy.render([{ role: 'user', content }])).toBe('type;type,text;');
  });

  it('gives text models a string', () => {
    const simple = new ChatTemplate({ source: '{{ messages[0].content }}' });
    expect(simple.render([{ role: 'user', content: [text('a'), text('b')] }])).toBe('ab');
  });

  it('names what is wrong', () => {
    const file = 't.jinja';
    expect(() => new ChatTemplate({ source: '{% if %}', file })).toThrow(
      't.jinja is not a valid Jinja template',
    );
    const raising = new ChatTemplate({ source: "{{ raise_exception('no system') }}", file });
    expect(() => raising.render([])).toThrow('t.jinja cannot render the conversation: no system');
  });
});

describe('findChatTemplate', () => {
  const find = (files: Record<string, unknown>) => findChatTemplate(folderOf(files), 'dir');

  it('looks in the order of transformers', async () => {
    const all: Record<string, unknown> = {
      'chat_template.jinja': 'jinja {{ eos_token }}',
      'chat_template.json': { chat_template: 'json' },
      'tokenizer_config.json': { chat_template: 'config', eos_token: { content: '</s>' } },
    };
    const found = await find(all);
    expect(new ChatTemplate(found).render([])).toBe('jinja </s>');
    delete all['chat_template.jinja'];
    expect((await find(all)).source).toBe('json');
    delete all['chat_template.json'];
    expect((await find(all)).source).toBe('config');
    const named = [
      { name: 'tool_use', template: 'tool' },
      { name: 'default', template: 'named' },
    ];
    expect((await find({ 'tokenizer_config.json': { chat_template: named } })).source).toBe('named');
    expect((await find({})).source).toBe(QWEN_VL_TEMPLATE);
  });

  it('names what is wrong', async () => {
    await expect(find({ 'chat_template.json': {} })).rejects.toThrow(
      'dir/chat_template.json has no "chat_template"',
    );
    await expect(find({ 'tokenizer_config.json': { chat_template: 3 } })).rejects.toThrow(
      'neither text nor a list',
    );
    await expect(find({ 'chat_template.jinja': new Uint8Array([0xff]) })).rejects.toThrow(
      'is not valid UTF-8',
    );
  });
});

describe('prompts', () => {
  it('have one placeholder per merged patch, as with transformers', async () => {
    const chat = known.chat[known.expanded.chat];
    const prompt = await encodePrompt(coderInPlace(tokenizer, template), chat?.messages ?? [], {
      imageCounts: known.expanded.counts,
      addVisionId: true,
    });
    expect(prompt.ids).toEqual(known.expanded.ids);
    expect(prompt.text).toBe(chat?.text);
  });

  it('refuse placeholders and images that do not match', async () => {
    expect(() => expandImageTokens([1, 5, 2], 5, [])).toThrow('has 1 image placeholders but 0 images');
    expect(() => expandImageTokens([1], 5, [4], 'q7')).toThrow('q7 has 0 image placeholders but 1 images');
    expect(() => expandImageTokens([5], 5, [0])).toThrow('an image of 0 merged patches');
    const hostile: Message[] = [{ role: 'user', content: [image, text(`see ${IMAGE_PAD}`)] }];
    const coder = coderInPlace(tokenizer, template);
    await expect(encodePrompt(coder, hostile, { imageCounts: [4] })).rejects.toThrow(TextError);
    expect(expandImageTokens([5, 5, 1], 5, [2, 3])).toEqual([5, 5, 5, 5, 5, 1]);
  });

  it('mark the answer', async () => {
    const coder = coderInPlace(tokenizer, template);
    const messages: Message[] = [
      { role: 'user', content: [image, text('Which?')] },
      { role: 'assistant', content: 'Liver.' },
      { role: 'user', content: 'Sure?' },
      { role: 'assistant', content: '\n\nYes.' },
    ];
    const answers = async (learn: 'last' | 'all') => {
      const { ids, completionMask } = await encodeConversation(coder, messages, {
        learn,
        imageCounts: [3],
      });
      expect(completionMask.length).toBe(ids.length);
      expect(ids.filter((id) => id === tokenizer.requireId(IMAGE_PAD)).length).toBe(3);
      return tokenizer.decode(ids.filter((_, i) => completionMask[i] === 1));
    };
    expect(await answers('last')).toBe('\n\nYes.<|im_end|>\n');
    expect(await answers('all')).toBe('Liver.<|im_end|>\n\n\nYes.<|im_end|>\n');

    const prompt = await encodePrompt(coder, messages.slice(0, 3), { imageCounts: [3] });
    const whole = await encodeConversation(coder, messages, { imageCounts: [3] });
    expect(whole.ids.slice(0, prompt.ids.length)).toEqual(prompt.ids);
    expect(whole.completionMask.indexOf(1)).toBe(prompt.ids.length);
  });

  it('refuse conversations without an answer or with a template that rewrites', async () => {
    const question: Message[] = [{ role: 'user', content: 'x' }];
    await expect(encodeConversation(coderInPlace(tokenizer, template), question)).rejects.toThrow(
      'does not end with a message of the assistant',
    );
    const rewriting = new ChatTemplate({
      source: '{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}',
    });
    const answered: Message[] = [...question, { role: 'assistant', content: 'y' }];
    const coder = coderInPlace(tokenizer, rewriting);
    await expect(encodeConversation(coder, answered)).rejects.toThrow('renders message 2');
  });
});

describe('messages', () => {
  it('are read as published and as sent by OpenAI clients', () => {
    const parsed = parseMessages(
      [
        {
          role: 'user',
          content: [
            { image: 'a.png' },
            { type: 'image_url', image_url: { url: 'data:' } },
            { text: 'q' },
            { type: 'image' },
          ],
        },
      ],
      'x.jsonl:3',
    );
    expect(imagesOf(parsed)).toEqual(['a.png', 'data:', undefined]);
    expect(template.render(parsed)).toContain('<|vision_end|>q<|vision_start|>');
  });

  it('name what is wrong', () => {
    const parse = (value: unknown) => () => parseMessages(value, 'x.jsonl:3');
    expect(parse([])).toThrow('x.jsonl:3 is not a list of messages');
    expect(parse([null])).toThrow('x.jsonl:3: message 1 is not an object');
    expect(parse([{ content: 'x' }])).toThrow('message 1 has no role');
    expect(parse([{ role: 'user' }])).toThrow('neither text nor a list');
    expect(parse([{ role: 'user', content: [{ type: 'audio' }] }])).toThrow('part 1 has the type "audio"');
    expect(parse([{ role: 'user', content: [{ type: 'text' }] }])).toThrow('has no text');
  });
});
