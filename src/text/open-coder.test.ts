/** Templates and tokenizers that run away, in a helper as Node starts it. */
import { describe, expect, it } from 'vitest';
import { setPlatform } from '../platform/current.js';
import { nodePlatform } from '../platform/node/platform.js';
import { buildByteTokenizer } from './byte-tokenizer.js';
import type { TextCoder } from './coder.js';
import type { TextLimits } from './helper-coder.js';
import type { JsonObject } from './json.js';
import type { Message } from './messages.js';
import { openCoder } from './open-coder.js';
import { encodeConversation, encodePrompt } from './prompt.js';
import { cases, folderOf } from './test-files.js';

const PLAIN = '{% for m in messages %}{{ m.content }}{% endfor %}';
const DEFAULT_FILES = buildByteTokenizer().files;

/** A model folder with another template, or another tokenizer. */
function open(
  { template = PLAIN, tokenizer = {} }: { template?: string; tokenizer?: JsonObject },
  limits: TextLimits = {},
): Promise<TextCoder> {
  const model = { ...JSON.parse(DEFAULT_FILES['tokenizer.json'] as string), ...tokenizer };
  const files = { ...DEFAULT_FILES, 'tokenizer.json': model, 'chat_template.jinja': template };
  return openCoder(folderOf(files), 'dir', limits);
}

const says = (content: string): Message[] => [{ role: 'user', content }];

/** What a template or a tokenizer of these tests runs away on, and limits under which it is soon over. */
const BOMB = `${'a'.repeat(1000)}!`;
const LATE: TextLimits = { seconds: (characters) => (characters === BOMB.length ? 0.2 : 120) };
const SMALL: TextLimits = { megabytes: 64 };

describe('a text coder with a helper', () => {
  it('gives what one without gives', async () => {
    const { chat } = await cases();
    const here = setPlatform({ ...nodePlatform, helpers: undefined } as never);
    const inPlace = await open({});
    setPlatform(here ?? nodePlatform);
    const helped = await open({});
    for (const { messages, gen } of chat.slice(0, 8)) {
      const options = { addGenerationPrompt: gen };
      expect(await helped.render(messages, options)).toBe(await inPlace.render(messages, options));
    }
    const text = 'Is there a <|im_end|> nodule?\n  \ud83e\ude7b é e\u0301';
    expect(await helped.encode(text)).toEqual(await inPlace.encode(text));
    expect(helped.vocabulary.decode(await helped.encode(text))).toBe(text.normalize('NFC'));
    const lesson: Message[] = [...says('Is there one?'), { role: 'assistant', content: 'No.' }];
    expect(await encodeConversation(helped, lesson)).toEqual(await encodeConversation(inPlace, lesson));
    // Whatever stands for a picture stays here.
    const picture = { type: 'image' as const, image: () => 0 };
    const seen = await open({ template: '{{ messages[0].content[0].type }}' });
    expect((await encodePrompt(seen, [{ role: 'user', content: [picture] }])).text).toBe('image');
  });

  it('says what is wrong in the words of one without', async () => {
    await expect(open({ template: '{% if %}' })).rejects.toThrow(
      'dir/chat_template.jinja is not a valid Jinja template',
    );
    await expect(open({ tokenizer: { normalizer: { type: 'Nope' } } })).rejects.toMatchObject({
      name: 'TextError',
      file: 'dir/tokenizer.json',
      message: 'dir/tokenizer.json cannot be used as a tokenizer: Unknown Normalizer type: Nope',
    });
    const raising = await open({ template: "{{ raise_exception('no system') }}" });
    await expect(raising.render([])).rejects.toThrow('jinja cannot render the conversation: no system');
  });

  it('ends a template that loops, fails what waits, and goes on', async () => {
    const endless = '{% for i in range(1000000) %}{% for j in range(1000000) %}{% endfor %}{% endfor %}';
    const coder = await open(
      { template: `{% if messages[0].content | length > 1000 %}${endless}{% endif %}ok` },
      LATE,
    );
    const asked = await Promise.allSettled([coder.render(says(BOMB)), coder.render(says('hi'))]);
    const problem = 'dir/chat_template.jinja cannot render the conversation within 1 s';
    for (const { status, ...rest } of asked) {
      expect([status, rest]).toMatchObject(['rejected', { reason: { message: problem } }]);
    }
    expect(await coder.render(says('hi'))).toBe('ok');
  });

  it.each([
    ['a range of billions', '{{ range(2000000000) | length }}'],
    [
      'a list that doubles',
      '{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}',
    ],
  ])('ends a template with %s', async (_, template) => {
    const coder = await open({ template: `{% if messages %}${template}{% endif %}ok` }, SMALL);
    await expect(coder.render(says('hi'))).rejects.toThrow(
      /^dir\/chat_template.jinja cannot render the conversation in 64 MB of memory$/,
    );
    expect(await coder.render([])).toBe('ok');
  });

  it('refuses a text too long to be of use', async () => {
    const template =
      "{% set n = namespace(x='x') %}{% for i in range(27) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}";
    const coder = await open({ template });
    await expect(coder.render([])).rejects.toThrow('makes more than 33554432 characters');
  });

  it('ends a pattern that tries all ways', async () => {
    const split = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
    const coder = await open({ tokenizer: { pre_tokenizer: split } }, LATE);
    await expect(coder.encode(BOMB)).rejects.toThrow(
      /^dir\/tokenizer.json cannot encode "a+\.\.\." within 1 s$/,
    );
    expect(await coder.encode('a')).toEqual([97]);
  });

  it('ends a normalizer whose text grows', async () => {
    const replace = { type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(1000) };
    const normalizer = { type: 'Sequence', normalizers: Array(5).fill(replace) };
    const coder = await open({ tokenizer: { normalizer } }, SMALL);
    await expect(coder.encode('a')).rejects.toThrow(/^dir\/tokenizer.json cannot encode "a"/);
    expect(await coder.encode('b')).toEqual([98]);
  });
});
