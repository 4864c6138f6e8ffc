/** The one error that reading or writing a checkpoint throws on bad input. */
import { FileError } from '../platform/errors.js';
import { quote } from './quote.js';

/**
 * A safetensors file, index or checkpoint that cannot be used. The message is one sentence naming the file, the tensor
 * (if one is to blame) and the problem, and the fix where there is one.
 */
export class SafetensorsError extends FileError {
  /** The tensor at fault, if the problem is one tensor's. */
  readonly tensor: string | undefined;

  constructor(file: string, problem: string, options: { tensor?: string; cause?: unknown } = {}) {
    const { tensor, cause } = options;
    super(file, problem, { part: tensor === undefined ? undefined : `tensor ${quote(tensor)}`, cause });
    this.name = 'SafetensorsError';
    this.tensor = tensor;
  }
}
