/** Runs the tokenizer and the chat template of one model folder; `text/open-coder.ts` says why that needs a helper. */
import { answerRequests } from '../platform/node/helper-child.js';
import { ChatTemplate } from '../text/chat-template.js';
import { TextError } from '../text/errors.js';
import type { TextReply, TextRequest } from '../text/helper-coder.js';
import { parseTokenizer, Tokenizer } from '../text/tokenizer.js';

/** Characters of a rendered text, or ids of an encoded one: more than any model takes. The answer must fit elsewhere too. */
const MOST = 1 << 25;

let tokenizer: Tokenizer | undefined;
let template: ChatTemplate | undefined;

answerRequests((request) => {
  try {
    return answer(request as TextRequest);
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    return { file: error.file, problem: error.problem } satisfies TextReply;
  }
});

function answer(request: TextRequest): TextReply {
  if ('tokenizer' in request) {
    tokenizer = new Tokenizer(...parseTokenizer(request.tokenizer));
    return undefined;
  }
  if ('template' in request) {
    template = new ChatTemplate(request.template);
    return undefined;
  }
  if (!tokenizer || !template) throw new Error('asked before it had its tokenizer and its template');
  if ('messages' in request) {
    const text = template.render(request.messages, request.options);
    if (text.length <= MOST) return text;
    throw new TextError(template.file, `makes more than ${MOST} characters of the conversation`);
  }
  const ids = tokenizer.encode(request.text, request.options);
  if (ids.length <= MOST) return Int32Array.from(ids);
  throw new TextError(tokenizer.file, `makes more than ${MOST} tokens of the text`);
}
