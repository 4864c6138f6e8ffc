/** Names of modalities and question types: datasets spell the same thing in many ways. */

/** The eight modalities of Med-R1, in the order of its tables. */
export const MODALITIES = [
  'CT',
  'MRI',
  'X-Ray',
  'Ultrasound',
  'Dermoscopy',
  'Fundus',
  'OCT',
  'Microscopy',
] as const;

/** A modality of Med-R1. */
export type Modality = (typeof MODALITIES)[number];

/** The five question types of OmniMedVQA, in the order of Med-R1's tables. */
export const QUESTION_TYPES = [
  'Anatomy Identification',
  'Disease Diagnosis',
  'Lesion Grading',
  'Modality Recognition',
  'Other Biological Attributes',
] as const;

/** A question type of OmniMedVQA. */
export type QuestionType = (typeof QUESTION_TYPES)[number];

/** Spellings of OmniMedVQA and of Med-R1's file names, without spaces, case and what follows a bracket. */
const SPELLINGS: Readonly<Record<string, Modality>> = {
  ct: 'CT',
  mr: 'MRI',
  mri: 'MRI',
  xray: 'X-Ray',
  ultrasound: 'Ultrasound',
  us: 'Ultrasound',
  dermoscopy: 'Dermoscopy',
  fundus: 'Fundus',
  fundusphotography: 'Fundus',
  oct: 'OCT',
  microscopy: 'Microscopy',
  microscopyimages: 'Microscopy',
};

/** The short name of a modality; what is not known stays as it is. */
export function modalityName(name: string): string {
  const key = name
    .replace(/\(.*$/s, '')
    .replace(/[^\p{L}]/gu, '')
    .toLowerCase();
  return Object.hasOwn(SPELLINGS, key) ? (SPELLINGS[key] as Modality) : name.trim();
}

/** What a Med-R1 split file's name says about its records: their modality or their question type. */
export function fromFileName(file: string): { modality?: string; question_type?: string } {
  const name = (file.split(/[/\\]/).at(-1) ?? '')
    .replace(/\.\w+$/, '')
    .replace(/_(filtered_)?(train|test)$/, '');
  const type = QUESTION_TYPES.find((known) => known.toLowerCase() === name.toLowerCase());
  if (type !== undefined) return { question_type: type };
  const modality = modalityName(name);
  return (MODALITIES as readonly string[]).includes(modality) ? { modality } : {};
}
