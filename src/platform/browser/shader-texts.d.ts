/** WGSL by its path below `shaders/`. The build writes the module (`scripts/lib/shader-texts.mjs`): a page has no folder to read. */
export declare const SHADER_TEXTS: Readonly<Record<string, string>>;
