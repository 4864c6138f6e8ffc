import type { Plugin } from 'rolldown';

/** Has rolldown bundle files of kernels-tests/ for a tab. */
export const tabTests: Plugin;
