/** All scenes that phantom pictures show. */
import type { Scene } from '../scene.js';
import { CT_SCENES } from './ct.js';
import { DERMOSCOPY_SCENES } from './dermoscopy.js';
import { FUNDUS_SCENES } from './fundus.js';
import { MICROSCOPY_SCENES } from './microscopy.js';
import { MRI_SCENES } from './mri.js';
import { OCT_SCENES } from './oct.js';
import { ULTRASOUND_SCENES } from './ultrasound.js';
import { XRAY_SCENES } from './xray.js';

/** Every body part in every modality. */
export const SCENES: readonly Scene[] = [
  ...CT_SCENES,
  ...MRI_SCENES,
  ...XRAY_SCENES,
  ...ULTRASOUND_SCENES,
  ...DERMOSCOPY_SCENES,
  ...FUNDUS_SCENES,
  ...OCT_SCENES,
  ...MICROSCOPY_SCENES,
];
