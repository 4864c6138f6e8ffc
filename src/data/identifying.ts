/** Fields of records that look as if they said who a patient is. */
import type { SampleFields } from './question.js';

/** Names of fields, without what stands between their words. */
const NAMES =
  /^(patients?|subject)(name|id|birthdate|sex|address|phone)$|^(first|last|full|family|given|sur)name$|^(date_?of_?)?birth(date|day)?$|^dob$|^mrn$|^medicalrecord(number|id|no)?$|^accession(number|no|id)?$|^(study|series|sopinstance|studyinstance|seriesinstance)uid$|^(ssn|socialsecurity(number)?|nhsnumber|nationalid|insurance(number|id))$|^(home|street)?address$|^(tele)?phone(number)?$|^e?mail(address)?$|^(referring|performing|attending)physician(s?name)?$|^institution(name|address)?$/;

/** The name of a person as DICOM writes it: family name, given name and more, with a caret between. */
const PERSON = /^\p{L}[\p{L}' .-]+(\^[\p{L}' .-]*){1,4}$/u;

/**
 * How many samples have which such field: one that is called so, or a text that is a name as DICOM writes it. Finds what is
 * written plainly, and no more.
 */
export function identifyingFields(samples: readonly SampleFields[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { source: _source, extra, ...fields } of samples) {
    const found = new Set([...fieldsIn(fields), ...fieldsIn(extra)]);
    for (const name of found) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function* fieldsIn(value: unknown, path = ''): Generator<string> {
  if (typeof value === 'string' && PERSON.test(value)) yield path;
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const here = Array.isArray(value) ? path : path === '' ? key : `${path}.${key}`;
    if (NAMES.test(key.toLowerCase().replace(/[^a-z]/g, '')) && inner !== null && inner !== '') yield here;
    else yield* fieldsIn(inner, here);
  }
}
