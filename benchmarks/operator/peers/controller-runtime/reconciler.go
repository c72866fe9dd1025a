package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const byOwner = "controller-uid"

func ownerUID(object client.Object) []string {
	if owner := metav1.GetControllerOf(object); owner != nil && owner.Kind == "ImoocPod" {
		return []string{string(owner.UID)}
	}
	return nil
}

type reconciler struct {
	client   client.Client
	template corev1.Pod
	writes   *ownWrites
	mutex    sync.Mutex
	statuses map[types.NamespacedName]writtenStatus
}

// writtenStatus is what this process last wrote, and the version that made.
type writtenStatus struct {
	uid     types.UID
	version uint64
	status  ImoocPodStatus
}

func newReconciler(c client.Client, template corev1.Pod) *reconciler {
	return &reconciler{
		client:   c,
		template: template,
		writes:   newOwnWrites(),
		statuses: map[types.NamespacedName]writtenStatus{},
	}
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var cr ImoocPod
	if err := r.client.Get(ctx, request.NamespacedName, &cr); err != nil {
		if apierrors.IsNotFound(err) {
			r.mutex.Lock()
			delete(r.statuses, request.NamespacedName)
			r.mutex.Unlock()
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if cr.DeletionTimestamp != nil || !r.writes.seen(cr.UID) {
		return ctrl.Result{}, nil // the event that is still to come brings the key back
	}
	var pods corev1.PodList
	err := r.client.List(ctx, &pods, client.InNamespace(cr.Namespace),
		client.MatchingFields{byOwner: string(cr.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return ctrl.Result{}, err
	}
	var active, finished []*corev1.Pod
	for i := range pods.Items {
		pod := &pods.Items[i]
		switch {
		case pod.DeletionTimestamp != nil:
		case pod.Status.Phase == corev1.PodFailed, pod.Status.Phase == corev1.PodSucceeded:
			finished = append(finished, pod)
		default:
			active = append(active, pod)
		}
	}
	names := make([]string, 0, len(active))
	slices.SortFunc(active, compareForDeletion)
	surplus := active[:max(0, len(active)-cr.Spec.Replicas)]
	for _, pod := range active[len(surplus):] {
		names = append(names, pod.Name)
	}
	err = slowStart(append(finished, surplus...), func(pod *corev1.Pod) error {
		return r.delete(ctx, &cr, pod)
	})
	created, createErr := r.create(ctx, &cr, cr.Spec.Replicas-len(active))
	if err := errors.Join(err, createErr); err != nil {
		return ctrl.Result{}, err
	}
	names = append(names, created...)
	slices.Sort(names)
	return ctrl.Result{}, r.report(ctx, &cr, ImoocPodStatus{
		Replicas:           len(names),
		PodNames:           names,
		ObservedGeneration: cr.Generation,
	})
}

func (r *reconciler) create(ctx context.Context, cr *ImoocPod, count int) ([]string, error) {
	var names []string
	for range count {
		names = append(names, cr.Name+"-pod-"+rand.String(8))
	}
	owner := metav1.NewControllerRef(cr, groupVersion.WithKind("ImoocPod"))
	return names, slowStart(names, func(name string) error {
		pod := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:            name,
				Namespace:       cr.Namespace,
				Labels:          map[string]string{"app": cr.Name},
				Annotations:     r.template.Annotations,
				OwnerReferences: []metav1.OwnerReference{*owner},
			},
			Spec: *r.template.Spec.DeepCopy(),
		}
		r.writes.expect(cr.UID, name)
		if err := r.client.Create(ctx, &pod); err != nil {
			r.writes.observed(cr.UID, name)
			return err
		}
		return nil
	})
}

func (r *reconciler) delete(ctx context.Context, cr *ImoocPod, pod *corev1.Pod) error {
	r.writes.expect(cr.UID, pod.Name)
	err := r.client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID})
	if err != nil {
		r.writes.observed(cr.UID, pod.Name)
	}
	return client.IgnoreNotFound(err)
}

// report writes the status when it differs from the newest one known.
func (r *reconciler) report(ctx context.Context, cr *ImoocPod, status ImoocPodStatus) error {
	key := client.ObjectKeyFromObject(cr)
	current := cr.Status
	r.mutex.Lock()
	if own, ok := r.statuses[key]; ok && own.uid == cr.UID && own.version > version(cr) {
		current = own.status
	}
	r.mutex.Unlock()
	if equal(status, current) {
		return nil
	}
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	patched := cr.deepCopy()
	if err := r.client.Status().Patch(ctx, patched, client.RawPatch(types.MergePatchType, body)); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.mutex.Lock()
	r.statuses[key] = writtenStatus{cr.UID, version(patched), status}
	r.mutex.Unlock()
	return nil
}

func equal(a, b ImoocPodStatus) bool {
	return a.Replicas == b.Replicas && a.ObservedGeneration == b.ObservedGeneration &&
		slices.Equal(a.PodNames, b.PodNames)
}

func version(cr *ImoocPod) uint64 {
	number, _ := strconv.ParseUint(cr.ResourceVersion, 10, 64)
	return number
}

// compareForDeletion puts first what serves least: not scheduled, pending, youngest.
func compareForDeletion(a, b *corev1.Pod) int {
	rank := func(pod *corev1.Pod) int {
		switch {
		case pod.Spec.NodeName == "":
			return 0
		case pod.Status.Phase == corev1.PodPending:
			return 1
		}
		return 2
	}
	if difference := rank(a) - rank(b); difference != 0 {
		return difference
	}
	return b.CreationTimestamp.Compare(a.CreationTimestamp.Time)
}

// slowStart acts on 1, 2, 4, … items at once and stops after the first batch with a failure.
func slowStart[T any](items []T, act func(T) error) error {
	for size := 1; len(items) > 0; size *= 2 {
		batch := items[:min(size, len(items))]
		items = items[len(batch):]
		failures := make([]error, len(batch))
		var group sync.WaitGroup
		for i, item := range batch {
			group.Go(func() { failures[i] = act(item) })
		}
		group.Wait()
		if err := errors.Join(failures...); err != nil {
			return err
		}
	}
	return nil
}
