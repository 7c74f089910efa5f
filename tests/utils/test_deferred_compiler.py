"""PyTorch's compiler is imported when something is compiled, and then it knows all marks."""

import subprocess
import sys

TRAIN_WITHOUT_A_COMPILER = """
import sys
import nip
import torch, tensordict, torchrl.objectives, torchrl.envs
from nip.utils.deferred_compiler import DeferredCompiler

weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.Adam([weight], lr=0.1)
weight.sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
import torch.distributed
store = torch.distributed.HashStore()
torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
torch.distributed.destroy_process_group()
assert isinstance(sys.modules["torch._dynamo"], DeferredCompiler)
"""
COMPILE = """
deferred = sys.modules["torch._dynamo"]
graphs = []
@torch.compiler.allow_in_graph
def opaque(x):
    return x + 1
@torch.compiler.disable
def hidden(x):
    return len(graphs) * x
def backend(module, inputs):
    graphs.append(module)
    return module.forward
@torch.compile(backend=backend)
def compiled(x):
    return hidden(opaque(x) * 2) + 3
assert compiled(torch.ones(2)).tolist() == [7.0, 7.0]
assert not isinstance(sys.modules["torch._dynamo"], DeferredCompiler)
assert torch._dynamo is sys.modules["torch._dynamo"]
assert len(graphs) == 2, "the code before and after the function that is not compiled"
assert any(node.target is opaque for node in graphs[0].graph.nodes)
from torch._dynamo import trace_rules
assert deferred.trace_rules.__name__ == trace_rules.__name__ == "torch._dynamo.trace_rules"
assert deferred.trace_rules._allowed_callable_ids is trace_rules._allowed_callable_ids
trace_rules.get_tensor_method()
assert trace_rules.get_tensor_method.cache_info().currsize > 0
deferred.trace_rules.clear_lru_cache()
assert trace_rules.get_tensor_method.cache_info().currsize == 0
assert all(id(fn) in trace_rules._allowed_callable_ids for fn in deferred._allowed)
assert len(deferred._allowed) > 1, "TensorDict's marks"
td = tensordict.TensorDict({"a": torch.ones(2)}, [2])
added = torch.compile(lambda td: td.apply(lambda x: x + 1), backend="eager")(td)
assert added["a"].tolist() == [2.0, 2.0]
weight.sum().backward()
optimizer.step()
assert weight.tolist() != [1.0, 1.0, 1.0]
"""


def test_training_imports_no_compiler_and_compiling_does():
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_WITHOUT_A_COMPILER + COMPILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
