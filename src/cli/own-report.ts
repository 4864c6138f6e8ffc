/** The report that a command writes by itself at its end. */
import { loadPageAssets } from '../report/assets.js';
import { writeReport } from '../report/write-report.js';
import { tell } from './terminal.js';

/** Writes `report.html` into the folder of a run or of an evaluation. Work that went well is not failed by its report. */
export async function writeOwnReport(dir: string): Promise<void> {
  try {
    const { file } = await writeReport(dir, { assets: await loadPageAssets() });
    tell(`report: ${file}`);
  } catch (error) {
    tell(`warning: no report was written: ${(error as Error).message}`);
  }
}
