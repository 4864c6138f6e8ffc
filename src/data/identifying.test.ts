import { expect, it } from 'vitest';
import { identifyingFields } from './identifying.js';

const sample = { id: 'a', images: ['a.png'] };

it('counts fields that are called so, and names as DICOM writes them', () => {
  const samples = [
    { ...sample, extra: { PatientName: 'x', patient_id: 7, 'Birth Date': '1953', note: 'fine' } },
    { ...sample, extra: { meta: { mrn: '1', by: 'DOE^JOHN^^' }, history: ['Muster^Eva', 'none'] } },
    { ...sample, extra: { patient_id: 8, accession: 'A1', StudyInstanceUID: '1.2' } },
  ];
  expect(identifyingFields(samples)).toEqual({
    'Birth Date': 1,
    PatientName: 1,
    StudyInstanceUID: 1,
    accession: 1,
    history: 1,
    'meta.by': 1,
    'meta.mrn': 1,
    patient_id: 2,
  });
});

it('says nothing of what datasets usually have', () => {
  const fields = {
    dataset: 'MIMIC',
    extra: { name: 'a', date: '2020', subject: 'MRI', patient_id: null, x: 'x^2 + y^2' },
  };
  expect(identifyingFields([{ ...sample, ...fields }])).toEqual({});
});
