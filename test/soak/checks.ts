// What the soak claims: how often each claim was put to the test, and where it did not hold.

/** Failures of one claim that are told; the rest is counted. */
const TOLD = 5;

export type Checks = {
  /** Counts one test of a claim. @param detail what was seen instead */
  check: (claim: string, holds: boolean, detail?: () => string) => void;
  /** Prints a line a claim, and the last line. @returns how many claims failed */
  tell: () => number;
};

export function createChecks(): Checks {
  const claims = new Map<string, { held: number; failed: number; told: string[] }>();
  return {
    check(claim, holds, detail = () => '') {
      const row = claims.get(claim) ?? { held: 0, failed: 0, told: [] };
      claims.set(claim, row);
      if (holds) row.held += 1;
      else {
        row.failed += 1;
        if (row.told.length < TOLD) row.told.push(detail());
      }
    },
    tell() {
      let failed = 0;
      for (const [claim, row] of claims) {
        if (row.failed > 0) failed += 1;
        console.log(`${row.failed > 0 ? 'FAILED' : 'passed'} ${`${row.held + row.failed}`.padStart(9)} × ${claim}`);
        if (row.failed > 0) console.log(`       ${row.failed} times not so:`);
        for (const detail of row.told) console.log(`         ${detail}`);
      }
      console.log(`${claims.size - failed} passed, ${failed} failed`);
      return failed;
    },
  };
}
