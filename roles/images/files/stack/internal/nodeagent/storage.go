package nodeagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	provisioner     = "k8s.imooc.com/node-directory"
	volumesRoot     = "/var/local-path-provisioner"
	selectedNode    = "volume.kubernetes.io/selected-node"
	provisionedBy   = "pv.kubernetes.io/provisioned-by"
	hostnameLabel   = corev1.LabelHostname
	volumeDirectory = 0o777 // any user a pod runs as may write to its own volume
)

// storage makes a directory of this node a PersistentVolume for each claim the
// scheduler placed here, and removes it when the volume is released.
type storage struct {
	nodeName string
	client   kubernetes.Interface
	claims   corelisters.PersistentVolumeClaimLister
	volumes  corelisters.PersistentVolumeLister
	classes  storagelisters.StorageClassLister
	caches   []cache.SharedIndexInformer
}

func newStorage(factory informers.SharedInformerFactory, client kubernetes.Interface, nodeName string) *storage {
	claims := factory.Core().V1().PersistentVolumeClaims()
	volumes := factory.Core().V1().PersistentVolumes()
	classes := factory.Storage().V1().StorageClasses()
	return &storage{
		nodeName: nodeName,
		client:   client,
		claims:   claims.Lister(),
		volumes:  volumes.Lister(),
		classes:  classes.Lister(),
		caches:   []cache.SharedIndexInformer{claims.Informer(), volumes.Informer(), classes.Informer()},
	}
}

func (s *storage) informers() []cache.SharedIndexInformer { return s.caches }

func (s *storage) reconcile(ctx context.Context) error {
	claims, err := s.claims.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	var failures []error
	for _, claim := range claims {
		if !provisionable(claim, s.nodeName) {
			continue
		}
		class, err := s.classes.Get(*claim.Spec.StorageClassName)
		if err != nil || class.Provisioner != provisioner {
			continue
		}
		failures = append(failures, s.provision(ctx, claim, class))
	}
	volumes, err := s.volumes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	for _, volume := range volumes {
		if removable(volume, s.nodeName) {
			failures = append(failures, s.remove(ctx, volume))
		}
	}
	return errors.Join(failures...)
}

// provisionable says that the claim waits for a directory on this node. One for
// a raw block device waits for ever, as with any class that has none.
func provisionable(claim *corev1.PersistentVolumeClaim, nodeName string) bool {
	block := claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock
	return claim.Spec.VolumeName == "" && claim.Annotations[selectedNode] == nodeName &&
		claim.Spec.StorageClassName != nil && !block
}

func (s *storage) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) error {
	volume := volumeFor(claim, class, s.nodeName)
	if _, err := s.volumes.Get(volume.Name); err == nil {
		return nil // made by an earlier pass; the binding is on its way
	}
	path := volume.Spec.Local.Path
	if err := os.MkdirAll(path, volumeDirectory); err != nil {
		return fmt.Errorf("make the directory of %s: %w", volume.Name, err)
	}
	// Again, because MkdirAll is subject to the umask.
	if err := os.Chmod(path, volumeDirectory); err != nil {
		return fmt.Errorf("open the directory of %s: %w", volume.Name, err)
	}
	_, err := s.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create volume %s: %w", volume.Name, err)
	}
	klog.InfoS("Created volume", "volume", volume.Name, "claim", klog.KObj(claim), "path", path)
	return nil
}

// volumeFor is the volume of one claim on one node. Its name comes from the
// claim's uid, so doing it twice cannot make two.
func volumeFor(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, nodeName string) *corev1.PersistentVolume {
	reclaim := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		reclaim = *class.ReclaimPolicy
	}
	name := "pvc-" + string(claim.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: reclaim,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: filepath.Join(volumesRoot, name)}},
			StorageClassName:              class.Name,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{
					MatchExpressions: []corev1.NodeSelectorRequirement{{
						Key: hostnameLabel, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeName},
					}},
				}},
			}},
		},
	}
}

// removable says that the volume is this agent's to delete: made by it, on this
// node, released by its claim, not to be kept, and below the agent's own folder.
func removable(volume *corev1.PersistentVolume, nodeName string) bool {
	return volume.Annotations[provisionedBy] == provisioner &&
		volume.Status.Phase == corev1.VolumeReleased &&
		volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete &&
		volume.DeletionTimestamp == nil &&
		volume.Spec.Local != nil && filepath.Dir(volume.Spec.Local.Path) == volumesRoot &&
		onNode(volume, nodeName)
}

func onNode(volume *corev1.PersistentVolume, nodeName string) bool {
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return false
	}
	for _, term := range volume.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, expression := range term.MatchExpressions {
			if expression.Key == hostnameLabel && slices.Equal(expression.Values, []string{nodeName}) {
				return true
			}
		}
	}
	return false
}

// remove deletes the data first: a crash in between leaves the volume, and the
// next pass finishes the work.
func (s *storage) remove(ctx context.Context, volume *corev1.PersistentVolume) error {
	if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
		return fmt.Errorf("remove the directory of %s: %w", volume.Name, err)
	}
	options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(volume.UID))}
	err := s.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, options)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete volume %s: %w", volume.Name, err)
	}
	klog.InfoS("Deleted volume", "volume", volume.Name)
	return nil
}
