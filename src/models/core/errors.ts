/** The error that a model folder with unusable content gives. */
import { OslerError } from '../../gpu/index.js';

/** A value error that names the file, the field and the fix in one sentence. */
export function modelError(where: string, problem: string): OslerError {
  return new OslerError('value', `${where} ${problem}`);
}
