"""A function in plain Python behind Ray Serve, as a peer of the application: a severity and a frequency made a
score. `serve run bench.python.plain_serve:app`, or by bench/python/README.md."""
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

SEVERITIES = {"low": .25, "medium": .5, "high": .75, "critical": 1.0}


@serve.deployment(name="Plain", max_ongoing_requests=256, ray_actor_options={"num_cpus": .5})
class Plain:
    async def __call__(self, request: Request) -> JSONResponse:
        events = (await request.json())["features"]
        scores = [.6 * SEVERITIES[event["severity"]] + .4 * event["frequency"] for event in events]
        return JSONResponse({"scores": scores,
                             "ranking": sorted(range(len(scores)), key=lambda i: -scores[i])})


def app(arguments: dict) -> serve.Application:
    return Plain.options(num_replicas=int(arguments.get("replicas", 1))).bind()
