/** Conversations with pictures: what supervised fine-tuning learns from. */
import type { Message } from '../text/messages.js';
import type { ImageSource, SampleFields } from './question.js';

/** A conversation; its image parts hold the pictures of `images`, in order. */
export interface Conversation extends SampleFields {
  readonly messages: readonly Message<ImageSource>[];
}

/** Whether a sample is a conversation rather than a question. */
export function isConversation(sample: SampleFields): sample is Conversation {
  return 'messages' in sample;
}
