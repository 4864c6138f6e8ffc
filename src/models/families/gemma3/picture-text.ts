/** How pictures stand in prompts. */
import type { PictureText } from '../../core/config.js';
import { START_OF_IMAGE } from '../gemma3-text/template.js';

/** A view of a picture; its one placeholder is repeated once the text is encoded. */
const VIEW = `\n\n${START_OF_IMAGE}<image_soft_token><end_of_image>\n\n`;

/** The words of transformers' processor. */
export const GEMMA3_PICTURES: PictureText = {
  placeholder: START_OF_IMAGE,
  text(views) {
    if (views === 1) return VIEW;
    const crops = Array.from({ length: views - 1 }, () => VIEW).join(' ');
    return `Here is the original image ${VIEW} and here are some crops to help you see better ${crops}`;
  },
};
