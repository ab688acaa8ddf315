# The program, its state in the volume /state (COXSWAIN_HOME): data, models, config/.env, config/config.local.yaml.
#   docker build -t coxswain . && docker run -it -v coxswain:/state coxswain            # console, simulated exchange
#   docker run -d --restart on-failure -v coxswain:/state --env-file config/.env coxswain   # Telegram
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 COXSWAIN_HOME=/state

# OpenMP's run-time library (LightGBM), and an init that reaps what a killed service leaves behind.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 coxswain \
    && install -d -o coxswain -g coxswain -m 700 /state

WORKDIR /app
COPY requirements.txt requirements-sql.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-sql.txt
COPY . .
RUN python -m compileall -q bot.py tracker.py modules utils config

USER 10001
VOLUME /state
# Dashboard, grid server: reachable from other containers only where their host setting says so.
EXPOSE 8080 8082
# All services stop in good order within this time: docker stop -t 120.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s CMD ["python", "-m", "modules.supervision.alive"]
ENTRYPOINT ["tini", "--", "python", "bot.py"]
