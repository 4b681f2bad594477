"""A chat by FastAPI that Liminal watches.

    uvicorn fastapi_chat:app --app-dir examples/python

Who talks how is at http://127.0.0.1:8000/ml/users, what is wrong at /ml/anomalies/recent.
"""
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

import liminal.api
from liminal.watch import WatchMiddleware

app = FastAPI()
app.add_middleware(WatchMiddleware)
app.include_router(liminal.api.router)

connections: set[WebSocket] = set()


@app.get("/")
def about():
    return {"connections": len(connections)}


@app.websocket("/chat")
async def chat(websocket: WebSocket):
    await websocket.accept()
    connections.add(websocket)
    try:
        while True:
            message = await websocket.receive_text()
            for other in list(connections):
                await other.send_text(message)
    except WebSocketDisconnect:
        pass
    finally:
        connections.discard(websocket)
