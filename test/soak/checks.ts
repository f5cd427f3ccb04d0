// The soak's claims about the service. Counts how often each claim was tested, and collects its failures.

/** Print so many failures of a claim; the others are only counted. */
const MOST_PRINTED = 5;

export type Checks = {
  /** Counts one test of a claim. @param detail describes the failure */
  check: (claim: string, holds: boolean, detail?: () => string) => void;
  /** Prints a line for each claim, and a summary. @returns the number of claims that failed */
  print: () => number;
};

export function createChecks(): Checks {
  const claims = new Map<string, { held: number; failed: number; details: string[] }>();
  return {
    check(claim, holds, detail = () => '') {
      const row = claims.get(claim) ?? { held: 0, failed: 0, details: [] };
      claims.set(claim, row);
      if (holds) row.held += 1;
      else {
        row.failed += 1;
        if (row.details.length < MOST_PRINTED) row.details.push(detail());
      }
    },
    print() {
      let failed = 0;
      for (const [claim, row] of claims) {
        if (row.failed > 0) failed += 1;
        console.log(`${row.failed > 0 ? 'FAILED' : 'passed'} ${`${row.held + row.failed}`.padStart(9)} × ${claim}`);
        if (row.failed > 0) console.log(`       failed ${row.failed} times:`);
        for (const detail of row.details) console.log(`         ${detail}`);
      }
      console.log(`${claims.size - failed} passed, ${failed} failed`);
      return failed;
    },
  };
}
