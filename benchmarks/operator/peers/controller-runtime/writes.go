package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// ownWrites knows which pods were created or deleted without the cache having shown it yet, as the
// expectations of Kubernetes' own controllers do. controller-runtime's own way to this is called
// experimental, and lets a read wait for the writes of all keys.
type ownWrites struct {
	mutex   sync.Mutex
	pending map[types.UID]map[string]time.Time
}

// unseen is when a write that never showed, undone while the watch was broken, stops to matter.
const unseen = 5 * time.Minute

func newOwnWrites() *ownWrites {
	return &ownWrites{pending: map[types.UID]map[string]time.Time{}}
}

func (w *ownWrites) expect(owner types.UID, pod string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.pending[owner] == nil {
		w.pending[owner] = map[string]time.Time{}
	}
	w.pending[owner][pod] = time.Now()
}

func (w *ownWrites) observed(owner types.UID, pod string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.pending[owner], pod)
	if len(w.pending[owner]) == 0 {
		delete(w.pending, owner)
	}
}

func (w *ownWrites) seen(owner types.UID) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, since := range w.pending[owner] {
		if time.Since(since) < unseen {
			return false
		}
	}
	return true
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// podHandler notes what the cache has come to show, and enqueues the owner.
func (r *reconciler) podHandler() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			r.enqueue(e.Object, q, true)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			r.enqueue(e.ObjectOld, q, false)
			r.enqueue(e.ObjectNew, q, e.ObjectNew.GetDeletionTimestamp() != nil)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			r.enqueue(e.Object, q, true)
		},
	}
}

func (r *reconciler) enqueue(pod client.Object, q queue, shows bool) {
	owner := metav1.GetControllerOf(pod.(*corev1.Pod))
	if owner == nil || owner.Kind != "ImoocPod" {
		return
	}
	if shows {
		r.writes.observed(owner.UID, pod.GetName())
	}
	q.Add(reconcile.Request{NamespacedName: types.NamespacedName{
		Namespace: pod.GetNamespace(),
		Name:      owner.Name,
	}})
}
