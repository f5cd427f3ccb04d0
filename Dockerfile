# Three images: build (toolchain), test (runs the whole suite), and the last one, which is the service.
#   docker build -t syswire .
#   docker build -t syswire-test --target test . && docker run --rm --init --cap-add SYS_PTRACE syswire-test
# npm settings and a certificate of your own come as secrets, and leave nothing in a layer:
#   --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=/path/to/ca.pem   (its path in there: /run/secrets/ca)
ARG NODE=node:24-bookworm-slim

FROM ${NODE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=secret,id=npmrc --mount=type=secret,id=ca \
    NPM_CONFIG_USERCONFIG=/run/secrets/npmrc npm ci --ignore-scripts --no-audit --no-fund --cache /tmp/npm \
 && rm -rf /tmp/npm
COPY . .
RUN npm run --silent build

FROM build AS test
# Those below the line about privileges would only fail in a container; not every CPU has them all (no ltrace on arm64).
RUN apt-get update \
 && sed '/^# needs privileges/,$d; s/#.*//' .ci/packages \
  | xargs -n1 sh -c 'apt-cache show "$0" >/dev/null 2>&1 && echo "$0"; true' \
  | xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
CMD ["npm", "test"]

FROM build AS production
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE} AS runtime
LABEL org.opencontainers.image.title="syswire" \
      org.opencontainers.image.description="The write system call over HTTP, at the level of abstraction you pick, for real" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=production /app/package.json /app/LICENSE ./
COPY --from=production /app/node_modules node_modules
COPY --from=production /app/prebuilds prebuilds
COPY --from=production /app/dist dist
ENV NODE_ENV=production
# A container's loopback can be reached by nobody: on any other address the service wants a token, and says so.
ENV SYSWIRE_HOST=0.0.0.0
USER node
EXPOSE 8080
# Kubernetes sets SYSWIRE_PORT=tcp://... for a Service named syswire; the service ignores that, and so does the check.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${/^[0-9]+$/.exec(process.env.SYSWIRE_PORT) || 8080}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
