# Every folder of the source tree, from the lowest layer up (docs/architecture.md has the table).
# A folder that is being written is left out until it has its CMakeLists.txt.
# The Python package takes the core and what answers of it, without a socket or a store.
set(python_folders "^(core/.*|io/(json|http|prometheus|svg|files|csv|onnx|kenning|remote_write|xgboost|sqlite|onnxruntime)|server/(api|signals|replay|training|registry))$")
foreach(folder
    core/base
    core/stats core/traffic core/wire
    core/abuse core/features core/limits core/detect core/novelty core/salience core/forecast core/models
    core/scaling core/learn
    core/engine
    io/csv io/svg io/epoll io/json io/http io/prometheus io/sqlite io/tls io/jwt io/files io/xgboost io/onnx io/onnxruntime io/kenning
    io/remote_write
    server/shards server/gateway server/hub server/player server/api server/uplink server/webhook server/journal server/signals server/replay
    server/grpc
    server/actor server/training server/registry
    app)
  if(LIMINAL_PYTHON_PACKAGE AND NOT folder MATCHES "${python_folders}")
    continue()
  endif()
  if(EXISTS ${PROJECT_SOURCE_DIR}/src/${folder}/CMakeLists.txt)
    add_subdirectory(src/${folder})
  endif()
endforeach()
