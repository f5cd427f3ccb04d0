// The service's environment variables: warns about those that nobody reads, and sets Kubernetes' own apart.
import { nearest } from '../protocol/choices.js';

/** The variables that other commands and the project's scripts read. */
const OTHERS = ['URL', 'PROBE_CHILD', 'PUBLISH', 'ENGINE', 'BUILD_CA', 'BUILD_NPMRC'].map((name) => `SYSWIRE_${name}`);

/** The form in which Kubernetes (and Docker's links) give the address of a Service. */
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;
/**
 * The variables that Kubernetes sets in every pod for a Service named syswire, or syswire-NAME.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_LINK =
  /^SYSWIRE_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;

/**
 * Look through the variables that begin with SYSWIRE_.
 *
 * @param settings the variables that the service reads
 * @returns the environment without the addresses that Kubernetes sets, and a line for each variable that is not read
 */
export function checkEnvironment(
  env: NodeJS.ProcessEnv,
  settings: readonly string[],
): { env: NodeJS.ProcessEnv; warnings: string[] } {
  const known = [...settings, ...OTHERS];
  const own = { ...env };
  const warnings: string[] = [];
  for (const [name, value = ''] of Object.entries(env)) {
    if (!name.startsWith('SYSWIRE_') || SERVICE_LINK.test(name)) continue;
    if (name.endsWith('_PORT') && SERVICE_ADDRESS.test(value)) {
      delete own[name];
      if (known.includes(name))
        warnings.push(
          `${name} ${value} is ignored: it is the address of a Kubernetes Service, not a port of ours: use --port for that, and enableServiceLinks: false in the pod to be rid of the variable`,
        );
    } else if (!known.includes(name)) {
      const meant = nearest(name, known);
      warnings.push(
        `${name} is unknown and ignored: ${meant ? `did you mean ${meant}?` : 'syswire help serve lists them'}`,
      );
    }
  }
  return { env: own, warnings };
}
