import type { Plugin } from 'rolldown';

/** Texts of `shaders/` by path. */
export function shaderTexts(): Record<string, string>;
/** Has rolldown find `shader-texts.js`. */
export const shaderPlugin: Plugin;
