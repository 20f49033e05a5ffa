"""Small pages in the shape of each family's own, with figures that are easy to tell apart."""

VLLM = b"""# HELP vllm:num_requests_running Requests in the batch.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 1.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 19.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 19.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.75
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.25
# TYPE vllm:prefix_cache_queries counter
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 4065.0
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7954194654980862e+09
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 2080.0
vllm:external_prefix_cache_hits_total{engine="0",model_name="m"} 7.0
vllm:num_preemptions_total{engine="0",model_name="m"} 2.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 120.0
vllm:prompt_tokens_total{engine="1",model_name="m"} 3.0
vllm:prompt_tokens_by_source_total{engine="0",model_name="m",source="local_compute"} 100.0
vllm:prompt_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:generation_tokens_total{engine="0",model_name="m"} 1.5e+03
vllm:request_generation_tokens_sum{engine="0",model_name="m"} 99.0
"""
NIM_1 = b"""num_requests_running{model_name="m"} 2.0
num_requests_waiting{model_name="m"} 1.0
num_request_max{model_name="m"} 16.0
gpu_cache_usage_perc{model_name="m"} 0.5
prompt_tokens_total{model_name="m"} 40.0
generation_tokens_total{model_name="m"} 50.0
"""
SGLANG = b"""sglang:num_running_reqs{model_name="m"} 5.0
sglang:num_queue_reqs{model_name="m"} 6.0
sglang:token_usage{model_name="m"} 0.125
sglang:cached_tokens_total{model_name="m",cache_source="device"} 30.0
sglang:cached_tokens_total{model_name="m",cache_source="host"} 10.0
sglang:prompt_tokens_total{model_name="m"} 80.0
sglang:generation_tokens_total{model_name="m"} 90.0
"""
TENSORRT_LLM = b"""trtllm_num_requests_running{model_name="m",engine_type="trtllm"} 7.0
trtllm_num_requests_waiting{model_name="m",engine_type="trtllm"} 8.0
trtllm_kv_cache_utilization{model_name="m",engine_type="trtllm"} 0.25
trtllm_prompt_tokens_total{model_name="m",engine_type="trtllm"} 11.0
trtllm_generation_tokens_total{model_name="m",engine_type="trtllm"} 12.0
"""
DYNAMO = b"""dynamo_frontend_active_requests{model="m"} 4.0
dynamo_frontend_inflight_requests{model="m"} 4.0
dynamo_frontend_input_sequence_tokens_sum{model="m"} 300.0
dynamo_frontend_input_sequence_tokens_count{model="m"} 3.0
dynamo_frontend_output_tokens_total{model="m"} 60.0
"""


def histogram(bounds: tuple[str, ...], count: int) -> bytes:
    """A histogram of latencies with these buckets, which no two families of engines share."""
    lines = [
        f'vllm:time_to_first_token_seconds_bucket{{engine="0",le="{bound}",model_name="m"}} {count}.0'
        for bound in (*bounds, "+Inf")
    ]
    lines += [
        f'vllm:time_to_first_token_seconds_count{{engine="0",model_name="m"}} {count}.0',
        f'vllm:time_to_first_token_seconds_sum{{engine="0",model_name="m"}} {count}.5',
    ]
    return "\n".join(lines).encode() + b"\n"
