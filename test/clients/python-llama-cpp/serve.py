"""serve.py MODEL KEY: llama.cpp's own server, inside this process, until standard input ends. Prints its address."""

import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.api_keys = [sys.argv[2]]
params.port = 0
params.n_ctx = 8192
params.n_parallel = 1
params.warmup = False
params.cpuparams.n_threads = 1
params.endpoint_slots = True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
