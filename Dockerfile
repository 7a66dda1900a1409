# The app with its models; it needs no network once it is built:
#   docker build --tag captioning .
#   docker run --rm --publish 127.0.0.1:8501:8501 --volume captioning-data:/data captioning
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 app && mkdir /data && chown app:app /data
WORKDIR /app

COPY requirements.lock requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --requirement requirements.txt

COPY .streamlit .streamlit
COPY assets assets
COPY configs configs
COPY models models
COPY captioning captioning
COPY pages pages
COPY app.py ./

USER app
ENV CAPTIONING_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.headless=true"]
