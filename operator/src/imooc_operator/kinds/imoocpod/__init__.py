"""ImoocPod: types, observe, plan, act."""
